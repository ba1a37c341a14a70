declare module 'mqtt-level-store' {
  import type { IStore } from 'mqtt';

  /** Stores of mqtt.js in a LevelDB in this folder. */
  export default function mqttLevelStore(folder: string): { incoming: IStore; outgoing: IStore };
}
