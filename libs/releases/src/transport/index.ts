export { httpMirror, readAll, type Mirror, type MirrorOptions, type Reply } from './http-mirror.ts';
export { StallWatch, type StallLimits } from './stall-watch.ts';
