"""The messages of the wire and the tables of its methods.

They come out of `executor.binpb`, which `buf build` makes of the protos: no
generated code and no protoc.
"""
import pkgutil

import grpc
from google.protobuf import descriptor_pb2, message_factory

_FILES = descriptor_pb2.FileDescriptorSet.FromString(
    pkgutil.get_data(__name__, 'executor.binpb')).file
_MESSAGES = message_factory.GetMessages(_FILES)
# An error travels in a header, which has little room.
MAX_ERROR = 1000


def message(name):
    """The class of a message, by its full name."""
    return _MESSAGES[name]


class Failure(Exception):
    """What a method answers in place of a result."""

    def __init__(self, code, text):
        super().__init__(text)
        self.code = code


def handler(service, implementation):
    """Serves the methods that `implementation` has under their own names.

    gRPC answers UNIMPLEMENTED for all others.
    """
    methods = {}
    for method in _service(service).method:
        behaviour = getattr(implementation, method.name, None)
        if behaviour is not None:
            methods[method.name] = _handler_of(method, behaviour)
    return grpc.method_handlers_generic_handler(service, methods)


def _service(name):
    for file in _FILES:
        for service in file.service:
            if f'{file.package}.{service.name}' == name:
                return service
    raise KeyError(name)


def _handler_of(method, behaviour):
    if method.server_streaming:
        async def call(request, context):
            try:
                async for answer in behaviour(request, context):
                    yield answer
            except Failure as failure:
                await context.abort(failure.code, str(failure)[:MAX_ERROR])
    else:
        async def call(request, context):
            try:
                return await behaviour(request, context)
            except Failure as failure:
                await context.abort(failure.code, str(failure)[:MAX_ERROR])
    kind = {
        (False, False): grpc.unary_unary_rpc_method_handler,
        (False, True): grpc.unary_stream_rpc_method_handler,
        (True, True): grpc.stream_stream_rpc_method_handler,
    }[method.client_streaming, method.server_streaming]
    return kind(
        call,
        request_deserializer=message(method.input_type[1:]).FromString,
        response_serializer=message(method.output_type[1:]).SerializeToString)
