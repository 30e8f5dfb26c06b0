"""What people write: the plugin's config, and `Engine.Params` of a task."""
import json

from grpc import StatusCode

from api import Failure

CONFIG = {
    'type': 'object',
    'properties': {
        'python': {
            'type': 'string',
            'description': 'The Python that runs the programs; without it '
                           'the one that runs this plugin.',
        },
    },
    'additionalProperties': False,
}
PARAMS = {
    'type': 'object',
    'properties': {
        'Program': {
            'type': 'string',
            'minLength': 1,
            'description': 'The text of the program.',
        },
        'Arguments': {
            'type': 'array',
            'items': {'type': 'string'},
            'description': 'Its arguments, sys.argv[1:].',
        },
    },
    'required': ['Program'],
    'additionalProperties': False,
}


def config_of(text):
    return _parse(text, CONFIG, 'config', StatusCode.INVALID_ARGUMENT)


def params_of(spec):
    """Of work that can run here; FAILED_PRECONDITION says why it cannot."""
    code = StatusCode.FAILED_PRECONDITION
    unsupported = _unsupported(spec)
    if unsupported is not None:
        raise Failure(code, unsupported)
    return _parse(spec.params_json, PARAMS, 'Engine.Params', code)


def _unsupported(spec):
    """What the job asks for and cannot have here, for people."""
    if spec.mounts:
        return ('InputSources, ResultPaths: not supported by executor '
                'python, whose programs run in a folder of their own')
    if spec.limits.disk_bytes:
        return ('Resources.Disk: not supported by executor python, which '
                'does not bound what a program writes')
    if spec.network in ('bridge', 'http'):
        return (f'Network {spec.network}: not supported by executor python, '
                'whose programs have the network of the node')
    return None


def _parse(text, schema, what, code):
    try:
        value = json.loads(text or '{}')
    except ValueError as error:
        raise Failure(code, f'{what} is no JSON: {error}') from error
    _check(value, schema, what, code)
    return value


def _check(value, schema, path, code):
    """As much of JSON Schema as the two above use."""
    types = {'object': dict, 'array': list, 'string': str}
    if not isinstance(value, types[schema['type']]):
        raise Failure(code, f"{path}: expected {schema['type']}")
    if isinstance(value, str) and len(value) < schema.get('minLength', 0):
        raise Failure(code, f'{path}: must not be empty')
    if isinstance(value, list):
        for at, item in enumerate(value):
            _check(item, schema['items'], f'{path}[{at}]', code)
    if isinstance(value, dict):
        for name in schema.get('required', ()):
            if name not in value:
                raise Failure(code, f'{path}.{name}: missing')
        for name, item in value.items():
            if name not in schema['properties']:
                known = ', '.join(schema['properties'])
                raise Failure(
                    code, f'{path}.{name}: unknown; expected one of {known}')
            _check(item, schema['properties'][name], f'{path}.{name}', code)
