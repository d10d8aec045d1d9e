/** Credentials as RedisService and RedisDestination write them: in plain text, or by the name of a Secret. */
import { z } from 'zod';
import { nonEmpty } from './fields.ts';

/** What the schema says of their faults must not show a password. */
export const SECRET_FIELDS: readonly string[] = ['auth'];

/** Numbers are taken as text: a finding about them would show the password. */
const secretText = z.union([z.string(), z.number()], 'a text').transform(String);

export const redisAuth = z
  .strictObject({
    plain: z.strictObject({ password: secretText, username: z.string().nullish() }).nullish(),
    secret: z
      .strictObject({ name: nonEmpty, passwordField: nonEmpty.nullish(), usernameField: nonEmpty.nullish() })
      .nullish(),
  })
  .refine((auth) => Boolean(auth.plain) !== Boolean(auth.secret), 'either plain or secret');

export type RedisAuthSpec = z.infer<typeof redisAuth>;
