export { DEVICE_APPS, type DeviceApp } from './device-apps.ts';
export { callerEnvironment } from './environment.ts';
export { installationFrom, type Installation } from './installation.ts';
export { isAlive, Pm2, PM2_SCRIPT, type Pm2Process } from './pm2.ts';
