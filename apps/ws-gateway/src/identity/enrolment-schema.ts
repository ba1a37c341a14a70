import { EnrolmentResponse } from '@bowline/messages/http/enrolment';
import { TRUSTED_BY } from '@bowline/messages/hub/apps';
import { Type, type Static } from 'typebox';

/** What the device was told when it enrolled, and how that came about; kept in `enrolment.json`. */
export const Enrolment = Type.Object({
  ...EnrolmentResponse.properties,
  /** Absent in files of before this was kept. */
  made: Type.Optional(
    Type.Object({
      /** Epoch milliseconds, the server's. */
      at: Type.Integer(),
      /** Origin that was asked. */
      server: Type.String(),
      /** Of the root key that signed the trust bundle, and who vouched for it. */
      rootThumbprint: Type.String(),
      trustedBy: Type.Enum([...TRUSTED_BY]),
      /** Of the device's own key: an enrolment is good with that one only. */
      keyThumbprint: Type.String(),
      /** SHA-256 of the token, to know it again if it was left lying. */
      tokenHash: Type.Optional(Type.String()),
    }),
  ),
});
export type Enrolment = Static<typeof Enrolment>;
