import { RejectedError } from '@bowline/runtime/errors';

/** `SECRET.THUMBPRINT`, both base64url; the thumbprint names the trust bundle's root key (protocol, section 7). */
export interface EnrolmentToken {
  secret: string;
  rootThumbprint: string;
}

/** @throws RejectedError `bad-enrolment-token` */
export function parseEnrolmentToken(text: string): EnrolmentToken {
  const match = /^([A-Za-z0-9_-]{16,256})\.([A-Za-z0-9_-]{43})$/.exec(text.trim());
  const [, secret, rootThumbprint] = match ?? [];
  if (secret === undefined || rootThumbprint === undefined) {
    throw new RejectedError(
      'bad-enrolment-token',
      'an enrolment token has the form SECRET.THUMBPRINT; copy it whole',
    );
  }
  return { secret, rootThumbprint };
}
