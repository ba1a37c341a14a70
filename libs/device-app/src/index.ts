export { joinHub, type HubMember, type HubMemberOptions } from './join-hub.ts';
export type { WayOut } from './way-out.ts';
export { reportDurably } from './report-durably.ts';
export {
  takeBroughtOrder,
  takeSignedOrders,
  type AdmittedOrder,
  type Refusal,
  type SignedOrders,
} from './take-signed-orders.ts';
