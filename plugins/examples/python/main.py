#!/usr/bin/python3
"""An executor plugin of Limpet that runs Python programs.

    main.py                          serves the plugin; the agent starts it
    main.py hold FOLDER COMMAND...   holds one run; the plugin starts it
"""
import sys

# Nothing is written beside the program.
sys.dont_write_bytecode = True


def main():
    # A holder stays for as long as its run: it loads neither gRPC nor
    # protobuf.
    if sys.argv[1:2] == ['hold']:
        import holder
        holder.hold(sys.argv[2], sys.argv[3:])
    else:
        try:
            import executor
            import plugin
        except ModuleNotFoundError as error:
            sys.exit(f'{sys.executable} has no module {error.name}; this '
                     'plugin needs grpcio and protobuf')
        plugin.serve(executor.NAME, executor.Executor())


if __name__ == '__main__':
    main()
