/** The services of a meter that speaks logical names: GET, SET and ACTION; ACCESS where those were not granted. */
import { fail } from '../core/errors.ts';
import { dataBytes } from '../dlms/axdr/data.ts';
import { type ObjectList, parseObjectList } from '../dlms/cosem/object-list.ts';
import { AccessCallExchange, AccessReadExchange, AccessWriteExchange } from '../dlms/exchange/access-exchange.ts';
import { ActionExchange, type MethodCall } from '../dlms/exchange/action-exchange.ts';
import { GetExchange } from '../dlms/exchange/get-exchange.ts';
import { RawGetExchange } from '../dlms/exchange/raw-get-exchange.ts';
import { type AttributeValue, SetExchange } from '../dlms/exchange/set-exchange.ts';
import type { ConformanceBit } from '../dlms/xdlms/conformance.ts';
import { dataAccessError } from '../dlms/xdlms/data-access-result.ts';
import type { AttributeReference, AttributeSelection } from '../dlms/xdlms/services.ts';
import { LIST_SHAPES, type ReadServices, readServicesFor } from './read-service.ts';
import type { ListShape, MeterServices, ServiceCarrier } from './services.ts';

const OBJECT_LIST: AttributeReference = { classId: 15, instanceId: '0.0.40.0.0.255', attributeId: 2 };

export class LogicalNameServices implements MeterServices {
  readonly shortNames = null;
  private readonly carrier: ServiceCarrier;

  constructor(carrier: ServiceCarrier) {
    this.carrier = carrier;
  }

  get listShape(): ListShape | null {
    const { several } = this.readServices;
    return several === null ? null : LIST_SHAPES[several];
  }

  private get readServices(): ReadServices {
    return readServicesFor((bit) => this.carrier.isGranted(bit));
  }

  get(attributes: readonly AttributeSelection[]) {
    const { one, several } = this.readServices;
    const service = attributes.length > 1 ? several : one;
    return this.carrier.run(service === 'access' ? new AccessReadExchange(attributes) : new GetExchange(attributes));
  }

  set(values: readonly AttributeValue[]) {
    return this.carrier.run(
      this.byAccess('set', values.length) ? new AccessWriteExchange(values) : new SetExchange(values),
    );
  }

  action(calls: readonly MethodCall[]) {
    return this.carrier.run(
      this.byAccess('action', calls.length) ? new AccessCallExchange(calls) : new ActionExchange(calls),
    );
  }

  /** Whether ACCESS stands in for what was not granted: the service, or several at once. */
  private byAccess(service: 'set' | 'action', count: number): boolean {
    const isGranted = (bit: ConformanceBit): boolean => this.carrier.isGranted(bit);
    return isGranted('access') && !(isGranted(service) && (count === 1 || isGranted('multiple-references')));
  }

  /** Attribute 2 of the current association, 0.0.40.0.0.255. */
  async objectList(): Promise<ObjectList> {
    const [result] = await this.carrier.run(
      this.readServices.one === 'access'
        ? new AccessReadExchange([{ ...OBJECT_LIST, accessSelection: null }])
        : new RawGetExchange(OBJECT_LIST),
    );
    if (result === undefined) return fail('UNEXPECTED_RESPONSE', 'no object list');
    if (!('data' in result)) throw dataAccessError(result.dataAccessResult.code, 'the object list');
    return parseObjectList(result.data.type === 'octet-string' ? result.data.value : dataBytes(result.data));
  }

  /** Names stay what they are. */
  associated(): void {}

  recall(): void {}
}
