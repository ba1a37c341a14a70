export { createSigner, createTestRepository, type TestRepository, type TestTree } from './test-repository.ts';
export { answer, etagOf, serveFolder, type Behaviour, type TestServer } from './test-server.ts';
export { never, testDevice, type TestDevice, type TestDeviceOptions } from './test-device.ts';
