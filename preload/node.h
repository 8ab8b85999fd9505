/* node.h - Node.js is recognised, and loads our script: the bridge. */
#ifndef TAGALONG_NODE_H
#define TAGALONG_NODE_H

/*
 * What the script (bridge.cjs, beside the library) does there is said in the script. It comes by
 * --require in the NODE_OPTIONS of this process alone, and takes that out again. Without the script
 * Node.js starts as it does without us.
 */

/*
 * By the constructor, with main's arguments, after conf_init. May replace `environ`. Threads of
 * Node.js that the script does not answer for have guesses at best.
 */
void node_begin(char **argv, char **envp);

/* As above, in a process that is Node.js. */
void node_require(char **argv, char **envp);

#endif
