/**
 * Hears of what only a new process can mend: a database that turns out damaged while it is in use (the next start repairs
 * it), and a writer thread that cannot be brought back.
 */
import { asBridgeError, type BridgeError } from '../core/errors.ts';
import { isDamage } from '../store/errors.ts';

export class DamageWatch {
  /** Resolves with the first such error. */
  readonly found: Promise<BridgeError>;
  private readonly onDamage: () => void;
  private resolve: (error: BridgeError) => void = () => undefined;
  private seen = false;

  /** `onDamage`: called once, when it is the database. */
  constructor(onDamage: () => void) {
    this.onDamage = onDamage;
    this.found = new Promise((resolve) => {
      this.resolve = resolve;
    });
  }

  get hasFound(): boolean {
    return this.seen;
  }

  /** The same object; errors of its methods are heard on their way to whoever called. */
  over<T extends object>(inner: T): T {
    const hear = (thrown: unknown): never => {
      this.hear(thrown);
      throw thrown;
    };
    return new Proxy(inner, {
      get(target, name) {
        const member: unknown = Reflect.get(target, name);
        if (typeof member !== 'function') return member;
        return (...parameters: unknown[]): unknown => {
          try {
            const result: unknown = Reflect.apply(member, target, parameters);
            return result instanceof Promise ? result.catch(hear) : result;
          } catch (thrown) {
            return hear(thrown);
          }
        };
      },
    });
  }

  hear(thrown: unknown): void {
    const error = asBridgeError(thrown);
    const isWriterLost = error.code === 'DATABASE_ERROR' && !error.retryable;
    if (this.seen || !(isDamage(error) || isWriterLost)) return;
    this.seen = true;
    if (!isWriterLost) this.onDamage();
    this.resolve(error);
  }
}
