export { DEVICE_APPS, type DeviceApp } from './device-apps.ts';
export { callerEnvironment } from './environment.ts';
export { installationFrom, type Installation } from './installation.ts';
export { isAlive } from './is-alive.ts';
export { Pm2, PM2_SCRIPT, type Pm2Process } from './pm2.ts';
