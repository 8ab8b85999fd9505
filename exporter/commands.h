/* commands.h - the subcommands of `tagalong`. */
#ifndef TAGALONG_COMMANDS_H
#define TAGALONG_COMMANDS_H

/*
 * Each takes the arguments from the subcommand's own name on (argv[0] is "run", "export", ...),
 * prints its help on --help, and returns the exit code of the program: 2 is a usage error.
 */
int command_export(int argc, char **argv);
int command_run(int argc, char **argv);
int command_check(int argc, char **argv);
int command_traces(int argc, char **argv);
int command_stacks(int argc, char **argv);
int command_profile(int argc, char **argv);
int command_status(int argc, char **argv);
int command_rules(int argc, char **argv);
int command_dashboard(int argc, char **argv);

int check_ebpf(void); /* `tagalong check --ebpf` */

#endif
