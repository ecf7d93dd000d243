

# Added by tests/ansible/hosts/lab. Ansible sends each module as sources in an archive, which Python compiles anew for every
# task; on these hosts what came out is kept, by the hash of its source, and the hosts of a run share it.
def _keep_bytecode(folder):
    import _imp
    import marshal
    import os
    import zipimport

    plain = zipimport._compile_source

    def compile_source(path, source):
        kept = os.path.join(folder, _imp.source_hash(0, source).hex())
        try:
            with open(kept, 'rb') as file:
                code = marshal.load(file)
            _imp._fix_co_filename(code, path)
            return code
        except (OSError, EOFError, ValueError, TypeError):
            code = plain(path, source)
        try:
            started = '%s.%d.%d' % (kept, os.getpid(), os.stat('/proc/self/ns/pid').st_ino)
            with open(started, 'wb') as file:
                marshal.dump(code, file)
            os.rename(started, kept)
        except OSError:
            pass
        return code

    zipimport._compile_source = compile_source


_keep_bytecode('/var/cache/test-bytecode')
