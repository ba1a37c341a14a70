/** Everything of this app that is compiled ahead of time into src/generated. */
import { ServerConfig } from './config.ts';
import { Manifest } from './store/manifest-schema.ts';
import {
  ConfigBody,
  EnrolmentTokenBody,
  NewDeviceBody,
  NewOperatorBody,
  NewOperatorTokenBody,
  OrderBody,
  RolloutBody,
  RolloutHaltBody,
  RolloutStageBody,
  SshSessionBody,
  TrustBody,
} from './http/bodies.ts';

/** Only our own configuration is completed; what comes over HTTP is judged as it stands. */
export const fillDefaults = ['config'];

export const schemas: Record<string, Record<string, object>> = {
  config: { config: ServerConfig },
  backup: { manifest: Manifest },
  bodies: {
    order: OrderBody,
    config: ConfigBody,
    enrolmentToken: EnrolmentTokenBody,
    device: NewDeviceBody,
    operator: NewOperatorBody,
    operatorToken: NewOperatorTokenBody,
    trust: TrustBody,
    sshSession: SshSessionBody,
    rollout: RolloutBody,
    rolloutStage: RolloutStageBody,
    rolloutHalt: RolloutHaltBody,
  },
};
