/** What went wrong at the boundary, since the process started. */
export interface IpcCounters {
  /** Messages of the other side that broke the contract: rejected, never forwarded. */
  contractErrors: number;
  /** Frames that could not be read (size, JSON, shape); each ended its connection. */
  badFrames: number;
  /** Answers that came after their deadline. */
  lateAnswers: number;
  /** Notifications that were dropped because the window was full. */
  droppedNotifications: number;
  /** Handlers of ours that failed with something else than an answer for the other side. */
  handlerFailures: number;
  /** Connections that we ended: replaced, not registered in time, not reading their answers. */
  droppedConnections: number;
  /** Registrations for what is not that socket's: another app, or an order type of another app. */
  foreignRegistrations: number;
}

export const newCounters = (): IpcCounters => ({
  contractErrors: 0,
  badFrames: 0,
  lateAnswers: 0,
  droppedNotifications: 0,
  handlerFailures: 0,
  droppedConnections: 0,
  foreignRegistrations: 0,
});
