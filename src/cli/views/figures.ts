/** Figures as people read them. */

/** `3 s ago`, `5 min ago`, `-` for never. */
export function age(at: number | null, now: number): string {
  if (at === null) return '-';
  return `${duration(Math.max(0, Math.round((now - at) / 1000)))} ago`;
}

/** `3 s`, `5 min`, `-` for none. */
export function duration(seconds: number | null): string {
  if (seconds === null) return '-';
  if (seconds < 120) return `${seconds} s`;
  if (seconds < 7200) return `${Math.round(seconds / 60)} min`;
  if (seconds < 172_800) return `${Math.round(seconds / 3600)} h`;
  return `${Math.round(seconds / 86_400)} d`;
}

/** `99.1%` of a share from 0 to 1, `-` for none. */
export function percent(share: number | null): string {
  return share === null ? '-' : `${(share * 100).toFixed(1)}%`;
}
