/* mysql_packets.h - packets of MySQL's protocol that several tests have. */
#ifndef TAGALONG_MYSQL_PACKETS_H
#define TAGALONG_MYSQL_PACKETS_H

/* The length of the payload in three bytes, the lowest first, then the packet's number. */
#define GREETING                                                                                   \
	"J\0\0\0\128.0.36\0\7\0\0\00012345678\0\377\377-"                                          \
	"\2\0\377\337\25\0\0\0\0\0\0\0\0\0\000123456789012\0mysql_native_password\0"
#define MARIADB_GREETING                                                                           \
	"c\0\0\0\0125.5.5-10.11.6-MariaDB-0+deb12u1\0\7\0\0\00012345678\0\376\367-"                \
	"\2\0\377\201\25\0\0\0\0\0\0\35\0\0\000123456789012\0mysql_native_password\0"
#define LOGIN                                                                                      \
	"F\0\0\1\11\202\10\0\0\0\0\1-"                                                             \
	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0ann\0\6SECRETshop\0mysql_native_password\0"
#define LOGIN_NEW                                                                                  \
	"F\0\0\1\11\202(\1\0\0\0\1-"                                                               \
	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0ann\0\6SECRETshop\0mysql_native_password\0"
#define LOGIN_ATTRIBUTES                                                                           \
	"F\0\0\1\11\202(\11\0\0\0\1-"                                                              \
	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0ann\0\6SECRETshop\0mysql_native_password\0"
#define LOGIN_METADATA                                                                             \
	"F\0\0\1\11\202(\3\0\0\0\1-"                                                               \
	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0ann\0\6SECRETshop\0mysql_native_password\0"
#define LOGIN_MARIADB                                                                              \
	"F\0\0\1\10\202(\1\0\0\0\1-"                                                               \
	"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\35\0\0\0ann\0\6SECRETshop\0mysql_native_"          \
	"password\0"
#define LOGGED_IN    "\7\0\0\2\0\0\0\2\0\0\0"
#define QUERY        "\11\0\0\0\3SELECT 7"
#define DONE         "\7\0\0\1\0\0\0\2\0\0\0"
#define FAILED       "\13\0\0\1\377z\4#42S02no"
#define PREPARE      "\32\0\0\0\26SELECT a FROM t WHERE b=?"
#define EXECUTE      "\25\0\0\0\27\11\0\0\0\0\1\0\0\0\0\1\376\0\6SECRET"
#define DEFINITION_2 "\27\0\0\2\3def\0\0\0\1a\0\14?\0\13\0\0\0\3\0\0\0\0\0"
#define PING         "\1\0\0\0\16"

#endif
