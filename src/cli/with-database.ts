/** The database for the time of one action. */
import { type Database, openDatabase } from '../store/database.ts';
import type { Context } from './context.ts';

export function withDatabase<T>(context: Pick<Context, 'databasePath'>, action: (database: Database) => T): T {
  const database = openDatabase(context.databasePath);
  try {
    return action(database);
  } finally {
    database.close();
  }
}

/** The same for those who only look. */
export function withReadOnlyDatabase<T>(context: Pick<Context, 'databasePath'>, action: (database: Database) => T): T {
  const database = openDatabase(context.databasePath, { readonly: true });
  try {
    return action(database);
  } finally {
    database.close();
  }
}
