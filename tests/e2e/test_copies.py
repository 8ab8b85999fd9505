# test_copies.py - several copies of a library in one process: each caller reaches the one that the loader gives it.
import pytest

from tagalong_e2e.machine import LIBRARY

# A library of the hooked name that says which copy it is. What is tested is who gets the call, so it needs to do no more.
COPY = """
#include <stdio.h>
void PQfinish(void *conn);
void PQfinish(void *conn) { printf("%s %s\\n", WHICH, (char *)conn); fflush(stdout); }
"""
# The call is not the last thing that it does: of a tail call nobody can tell by the stack who made it.
CALLER = """
void PQfinish(void *conn);
void call_it(const char *who);
static volatile int calls;
void call_it(const char *who) { PQfinish((void *)who); calls++; }
"""
MAIN = """
#include <dlfcn.h>
#include <stdio.h>
void PQfinish(void *conn);
int main(int argc, char **argv)
{
	for (int round = 0; round < 2; round++) {
		PQfinish("program");
		for (int i = 1; i < argc; i++) {
			void *object = dlopen(argv[i], RTLD_NOW | RTLD_LOCAL);
			void (*call)(const char *) = object ? (void (*)(const char *))dlsym(object, "call_it") : NULL;
			if (!call)
				return fprintf(stderr, "%s\\n", dlerror()), 1;
			call(argv[i]);
			dlclose(object);
		}
	}
	return 0;
}
"""


def build(machine, name, source, *flags):
    code = machine.directory / f"{name}.c"
    code.write_text(source)
    result = machine.run(["gcc", "-O2", "-o", name, code, *flags])
    assert result.returncode == 0, result.stderr
    return machine.directory / name


def build_copy(machine, which, version):
    flags = []
    if version:
        script = machine.directory / f"{which}.map"
        script.write_text(f"{version} {{ global: PQfinish; }};\n")
        flags = [f"-Wl,--version-script={script}"]
    return build(machine, f"lib{which}.so", COPY, "-shared", "-fPIC", f'-DWHICH="{which}"', f"-Wl,-soname,lib{which}.so", *flags)


# What the program itself is linked with goes before a plugin's own copy, unless the versions differ.
VERSIONS = {
    "unversioned": ({"system": None, "wheel": None, "other": None}, ("system", "system", "system")),
    "one version": ({"system": "V1", "wheel": "V1", "other": "V1"}, ("system", "system", "system")),
    "versions": ({"system": "V1", "wheel": "V2", "other": "V3"}, ("wheel", "other", "system")),
    "alone": ({"wheel": None, "other": "V1", "system": None}, ("wheel", "other", "system")),
}


@pytest.mark.parametrize("env", [{}, {"TAGALONG_DISABLE": "1"}, {"LD_BIND_NOW": "1"}], ids=["on", "off", "bound-now"])
@pytest.mark.parametrize("name", VERSIONS)
def test_each_caller_reaches_the_copy_that_the_loader_gives_it(machine, name, env):
    versions, reached = VERSIONS[name]
    here = ["-L.", "-Wl,-rpath," + str(machine.directory)]
    for which, version in versions.items():
        build_copy(machine, which, version)
    alone = name == "alone"
    source = MAIN.replace('PQfinish("program");', "") if alone else MAIN
    program = build(machine, "program", source, *here, *([] if alone else ["-lsystem"]), "-ldl")
    plugins = [build(machine, f"{which}-plugin.so", CALLER, "-shared", "-fPIC", *here, f"-l{which}")
               for which in ("wheel", "other", "system")]
    bare = machine.run([program, *plugins])
    expected = [*([] if alone else ["system program"]), *(f"{which} {plugin}" for which, plugin in zip(reached, plugins))]
    assert bare.stdout.splitlines() == expected * 2, bare.stderr
    traced = machine.run([program, *plugins], env={"LD_PRELOAD": LIBRARY, "TAGALONG_RUN_DIR": machine.directory / "none", **env})
    assert (traced.returncode, traced.stderr) == (0, "")
    assert traced.stdout == bare.stdout
