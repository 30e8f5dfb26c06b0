/** One rpc of a protobuf-es service as @grpc/grpc-js wants it described. */
import type * as grpc from '@grpc/grpc-js';
import { fromBinary, toBinary } from '@bufbuild/protobuf';
import type { DescMessage, DescMethod, MessageShape } from '@bufbuild/protobuf';
import { asBuffer } from '../../core/as-buffer.ts';
import type { GenService, GenServiceMethods } from '@bufbuild/protobuf/codegenv2';

export type Method = GenServiceMethods[string];

/** Messages are kept below 1 MiB by contract; the missing limit is slack only. */
export const UNLIMITED = {
  'grpc.max_receive_message_length': -1,
  'grpc.max_send_message_length': -1,
} as const;

export function methodsOf<T extends GenServiceMethods>(
  service: GenService<T>,
): readonly DescMethod[] {
  return service.methods;
}

export function methodDefinition(method: DescMethod): grpc.MethodDefinition<unknown, unknown> {
  const { input, output } = method;
  return {
    path: `/${method.parent.typeName}/${method.name}`,
    requestStream:
      method.methodKind === 'bidi_streaming' || method.methodKind === 'client_streaming',
    responseStream: method.methodKind !== 'unary',
    requestSerialize: serializer(input),
    requestDeserialize: (bytes) => fromBinary(input, bytes),
    responseSerialize: serializer(output),
    responseDeserialize: (bytes) => fromBinary(output, bytes),
  };
}

function serializer(schema: DescMessage): grpc.serialize<unknown> {
  return (message) => {
    return asBuffer(toBinary(schema, message as MessageShape<DescMessage>));
  };
}
