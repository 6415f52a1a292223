/** Which attributes hold a date-time in an octet-string: nothing in its twelve octets tells (Blue Book 4.3.3, 4.3.4, 4.5.1). */

const DATE_TIME_ATTRIBUTES: Readonly<Record<number, readonly number[]>> = {
  4: [5],
  5: [6, 7],
  8: [2],
};

export function isDateTimeAttribute(classId: number | null, attribute: number): boolean {
  return classId !== null && (DATE_TIME_ATTRIBUTES[classId]?.includes(attribute) ?? false);
}
