import { createHash, timingSafeEqual } from 'node:crypto';

const digest = (text: string): Buffer => createHash('sha256').update(text).digest();

/** Whether a header `Authorization` carries the token; takes as long for a near miss as for any other. */
export function carriesToken(token: string): (authorization: string | undefined) => boolean {
  const expected = digest(token);
  return (authorization = '') => {
    const [, given = ''] = /^Bearer ([^\s]{1,512})$/i.exec(authorization) ?? [];
    return timingSafeEqual(digest(given), expected);
  };
}
