import { needs } from '@bowline/testing';
import { expect, test } from 'vitest';
import { CAMPAIGN_MS, shortForm } from './short-form.ts';

test.runIf(needs('openssh-server') && needs('openssh-client'))(
  'when sessions are opened in a row, and one has a reader that stalls, nothing is left and memory stays bounded',
  async () => {
    const result = await shortForm('ssh', '--sessions', '4');
    expect(result).toMatchObject({
      sessions: 4,
      failed: 0,
      leftovers: 0,
      missingBytes: 0,
      controlCaught: true,
    });
    // Of a process of 100 MiB through which 256 MiB went.
    expect(result['brokerPeakMib']).toBeLessThan(250);
  },
  CAMPAIGN_MS,
);
