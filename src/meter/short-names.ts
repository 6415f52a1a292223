/**
 * The services of a meter that speaks short names: Read and Write (Green Book 9.3.14, 9.3.15). Which short name an object
 * has, the Association SN tells; its list is read when it is first needed.
 *
 * A short name says nothing of what it stands for. So names that were learned earlier (from the database, in an older
 * association) are looked at before they are used: the object must have the logical name that it is known by.
 */
import { asBridgeError, type BridgeError, fail } from '../core/errors.ts';
import type { Data } from '../dlms/axdr/data.ts';
import { obisText } from '../dlms/axdr/obis.ts';
import { NULL_DATA } from '../dlms/axdr/scalar.ts';
import type { ObjectList } from '../dlms/cosem/object-list.ts';
import { shortNameObjectList } from '../dlms/cosem/short-name-rights.ts';
import {
  ASSOCIATION_SN,
  attributeShortName,
  decodeShortNameList,
  METHOD_SELECTOR,
  methodShortName,
  type ShortNamedObject,
  ShortNames,
} from '../dlms/cosem/short-names.ts';
import type { MethodCall } from '../dlms/exchange/action-exchange.ts';
import { ReadExchange, type VariableSelection } from '../dlms/exchange/read-exchange.ts';
import type { AttributeValue } from '../dlms/exchange/set-exchange.ts';
import { type VariableValue, WriteExchange } from '../dlms/exchange/write-exchange.ts';
import {
  actionResult,
  type DataAccessResult,
  dataAccessError,
  dataAccessResult,
} from '../dlms/xdlms/data-access-result.ts';
import type { ActionOutcome, AttributeSelection, GetResult } from '../dlms/xdlms/services.ts';
import type { ListShape, MeterServices, ServiceCarrier } from './services.ts';

const SUCCESS = 0;
const OBJECT_UNDEFINED = 4;
const CLASS_INCONSISTENT = 9;

interface Reference {
  readonly classId: number;
  readonly instanceId: string;
}

export class ShortNameServices implements MeterServices {
  shortNames: ShortNames | null = null;
  private readonly carrier: ServiceCarrier;
  /** The names were read in this association. */
  private isFresh = false;
  private readonly confirmed = new Set<ShortNamedObject>();

  constructor(carrier: ServiceCarrier) {
    this.carrier = carrier;
  }

  /** readRequest (Green Book 9.5). */
  get listShape(): ListShape | null {
    return this.carrier.isGranted('multiple-references') ? { header: 2, item: 3 } : null;
  }

  associated(): void {
    this.isFresh = false;
    this.confirmed.clear();
  }

  recall(names: ShortNames): void {
    this.shortNames ??= names;
  }

  async get(attributes: readonly AttributeSelection[]): Promise<readonly GetResult[]> {
    const names = await this.namesFor(attributes);
    const targets = attributes.map((attribute) => variableOf(names, attribute));
    return answered(targets, refusedGet, (variables) => this.read(variables));
  }

  async set(values: readonly AttributeValue[]): Promise<readonly DataAccessResult[]> {
    const names = await this.namesFor(values);
    const targets = values.map((one) => {
      const variable = variableOf(names, one);
      return typeof variable === 'number' ? variable : { ...variable, value: one.value };
    });
    return answered(targets, dataAccessResult, (variables) => this.write(variables));
  }

  /** One after the other: a Read or Write of several methods has no place for some that return and some that do not. */
  async action(calls: readonly MethodCall[]): Promise<readonly ActionOutcome[]> {
    const names = await this.namesFor(calls.map(({ method }) => method));
    const outcomes: ActionOutcome[] = [];
    for (const call of calls) outcomes.push(await this.call(names, call));
    return outcomes;
  }

  async objectList(): Promise<ObjectList> {
    const { objects } = await this.readNames();
    return shortNameObjectList(objects, await this.readRights());
  }

  /** null from a meter that does not tell them: version 0 of the Association SN has none, and meters refuse in many ways. */
  private async readRights(): Promise<Data | null> {
    const name = attributeShortName(ASSOCIATION_SN.baseName, ASSOCIATION_SN.accessRightsList);
    try {
      const [rights] = await this.read([{ variableName: name, accessSelection: null }]);
      return rights !== undefined && 'data' in rights ? rights.data : null;
    } catch (thrown) {
      const error = asBridgeError(thrown);
      if (error.code === 'EXCEPTION_RESPONSE' || error.code === 'SERVICE_ERROR') return null;
      throw error;
    }
  }

  private async call(names: ShortNames, { method, parameters }: MethodCall): Promise<ActionOutcome> {
    const object = objectOf(names, method);
    if (typeof object === 'number') return { result: actionResult(object), returnParameters: null };
    const { classId, instanceId, methodId } = method;
    const target =
      methodShortName(object, methodId) ??
      fail('UNSUPPORTED', `method ${methodId} of ${classId}:${instanceId} has no short name that is known`, {
        layer: 'cosem',
      });
    const data = parameters ?? NULL_DATA;
    if (!target.returns && this.carrier.isGranted('write')) {
      const [result] = await this.write([{ variableName: target.name, accessSelection: null, value: data }]);
      return { result: actionResult(result?.code ?? SUCCESS), returnParameters: null };
    }
    const accessSelection = { selector: METHOD_SELECTOR, parameters: data };
    const [result] = await this.read([{ variableName: target.name, accessSelection }]);
    if (result === undefined) return fail('UNEXPECTED_RESPONSE', 'a method without result');
    if (!('data' in result)) return { result: actionResult(result.dataAccessResult.code), returnParameters: null };
    const isNothing = result.data.type === 'null-data';
    return { result: actionResult(SUCCESS), returnParameters: isNothing ? null : result };
  }

  private async read(variables: readonly VariableSelection[]): Promise<readonly GetResult[]> {
    try {
      return await this.carrier.run(new ReadExchange(variables));
    } catch (thrown) {
      return [refusedGet(codeOf(asBridgeError(thrown), variables))];
    }
  }

  private async write(values: readonly VariableValue[]): Promise<readonly DataAccessResult[]> {
    try {
      return await this.carrier.run(new WriteExchange(values));
    } catch (thrown) {
      return [dataAccessResult(codeOf(asBridgeError(thrown), values))];
    }
  }

  private async namesFor(references: readonly Reference[]): Promise<ShortNames> {
    const known = this.shortNames;
    if (known === null) return this.readNames();
    if (this.isFresh) return known;
    const objects = references.map((reference) => objectOf(known, reference));
    const named = objects.filter((object) => typeof object !== 'number');
    return named.length === objects.length && (await this.confirm(named)) ? known : this.readNames();
  }

  /** Whether the objects still have the logical names that they are known by. */
  private async confirm(objects: readonly ShortNamedObject[]): Promise<boolean> {
    const doubtful = [...new Set(objects)].filter((object) => !this.confirmed.has(object));
    const { longestList } = this.carrier;
    for (let at = 0; at < doubtful.length; at += longestList) {
      const portion = doubtful.slice(at, at + longestList);
      const variables = portion.map(({ baseName }) => ({ variableName: baseName, accessSelection: null }));
      const results = await this.read(variables);
      if (!portion.every(({ obis }, index) => mayBe(obis, results[index]))) return false;
      for (const object of portion) this.confirmed.add(object);
    }
    return true;
  }

  private async readNames(): Promise<ShortNames> {
    const name = attributeShortName(ASSOCIATION_SN.baseName, ASSOCIATION_SN.objectList);
    const [result] = await this.read([{ variableName: name, accessSelection: null }]);
    if (result === undefined) return fail('UNEXPECTED_RESPONSE', 'no object list');
    if (!('data' in result))
      throw dataAccessError(result.dataAccessResult.code, 'the object list of the Association SN');
    const objects = decodeShortNameList(result.data);
    const known = this.shortNames;
    // What was right all along stays the same fact.
    const isKnown = known !== null && JSON.stringify(known.objects) === JSON.stringify(objects);
    this.shortNames = isKnown ? known : new ShortNames(objects);
    this.isFresh = true;
    return this.shortNames;
  }
}

type Target<Variable> = Variable | DataAccessResult['code'];

/** Asks for what has a short name; what has none is refused here, as the meter would. */
async function answered<Variable, Result>(
  targets: readonly Target<Variable>[],
  refused: (code: number) => Result,
  ask: (variables: readonly Variable[]) => Promise<readonly Result[]>,
): Promise<readonly Result[]> {
  const variables = targets.filter((target): target is Variable => typeof target !== 'number');
  const results = variables.length === 0 ? [] : await ask(variables);
  let next = 0;
  return targets.map((target) =>
    typeof target === 'number' ? refused(target) : (results[next++] ?? fail('UNEXPECTED_RESPONSE', 'too few results')),
  );
}

function refusedGet(code: number): GetResult {
  return { dataAccessResult: dataAccessResult(code) };
}

/** The object, or the data-access-result with which a meter would refuse it. */
function objectOf(names: ShortNames, { classId, instanceId }: Reference): Target<ShortNamedObject> {
  const object = names.find(classId, instanceId);
  if (object === null) return OBJECT_UNDEFINED;
  return object.classId === classId ? object : CLASS_INCONSISTENT;
}

function variableOf(names: ShortNames, { attributeId, accessSelection, ...reference }: AttributeSelection) {
  const object = objectOf(names, reference);
  if (typeof object === 'number') return object;
  return { variableName: attributeShortName(object.baseName, attributeId), accessSelection };
}

/** Meters that do not let their logical names be read cannot be asked who they are. */
function mayBe(obis: string, result: GetResult | undefined): boolean {
  if (result === undefined) return false;
  if (!('data' in result)) return result.dataAccessResult.code !== OBJECT_UNDEFINED;
  return isName(result.data, obis);
}

function isName(data: Data, obis: string): boolean {
  return data.type === 'octet-string' && data.value.length === 6 && obisText(data.value) === obis;
}

/** What a confirmedServiceError to one variable says of that variable, by class and error (Green Book 9.5, ServiceError). */
const MEANINGS: Readonly<Record<string, number>> = {
  'definition/object-undefined': OBJECT_UNDEFINED,
  'definition/object-class-inconsistent': CLASS_INCONSISTENT,
  'definition/object-attribute-inconsistent': OBJECT_UNDEFINED,
  'access/scope-of-access-violated': 13,
  'access/object-access-violated': 3,
  'access/hardware-fault': 1,
  'access/object-unavailable': 11,
};

/** The data-access-result in an error that concerns one variable; everything else is thrown on. */
function codeOf(error: BridgeError, variables: readonly unknown[]): number {
  const { errorClass, error: name } = error.facts;
  const code = error.code === 'SERVICE_ERROR' ? MEANINGS[`${String(errorClass)}/${String(name)}`] : undefined;
  if (code === undefined || variables.length > 1) throw error;
  return code;
}
