/* secrets.h - made-up secrets of all kinds, and texts that only look like some. */
#ifndef TESTS_UNIT_SECRETS_H
#define TESTS_UNIT_SECRETS_H

#include "preload/segment.h"

/* In two parts, so that no scanner takes this file for a leak. */
static const struct {
	const char *text; /* with what stands around it */
	const char *secret;
	enum redaction rule;
} secrets[] = {
	{"eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0In0.s5Q_x-a8",
	 "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0In0.s5Q_x-a8", REDACTION_JWT},
	{"eyJhbGciOiJub25lIn0.e30.", "eyJhbGciOiJub25lIn0.e30.", REDACTION_JWT},
	{"AKIA"
	 "IOSFODNN7EXAMPLE",
	 "AKIAIOSFODNN7EXAMPLE", REDACTION_AWS_KEY},
	{"ASIA"
	 "QWERTYUIOPASDF12",
	 "ASIAQWERTYUIOPASDF12", REDACTION_AWS_KEY},
	{"jane.doe+x@mail.example.com", "jane.doe+x@mail.example.com", REDACTION_EMAIL},
	{"jane%40example.org", "jane%40example.org", REDACTION_EMAIL},
	{"a@b.co", "a@b.co", REDACTION_EMAIL},
	{"4111111111111111", "4111111111111111", REDACTION_CARD},
	{"4111-1111-1111-1111", "4111-1111-1111-1111", REDACTION_CARD},
	{"4111%201111%201111%201111", "4111%201111%201111%201111", REDACTION_CARD},
	{"5500+0055+5555+5559", "5500+0055+5555+5559", REDACTION_CARD},
	{"378282246310005", "378282246310005", REDACTION_CARD},
	{"6011111111111117", "6011111111111117", REDACTION_CARD},
	{"Bearer mF_9.B5f-4.1JqM", "mF_9.B5f-4.1JqM", REDACTION_BEARER},
	{"bearer%20abcdef0123", "abcdef0123", REDACTION_BEARER},
	{"ghp"
	 "_16C7e42F292c6912E7710c838347Ae178B4a",
	 "ghp_16C7e42F292c6912E7710c838347Ae178B4a", REDACTION_TOKEN},
	{"xoxb"
	 "-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy",
	 "xoxb-17653672481-19874698323-pdFZKVeTuE8sk7oOcHrzqqgy", REDACTION_TOKEN},
	{"sk_live"
	 "_4eC39HqLyjWDarjtT1zdp7dc",
	 "sk_live_4eC39HqLyjWDarjtT1zdp7dc", REDACTION_TOKEN},
	{"https://joe:pa55@host/x", "joe:pa55", REDACTION_USERINFO},
	{"-----BEGIN RSA PRIVATE KEY-----MIIEpAIBAAKCAQEA5w-----END RSA PRIVATE KEY-----",
	 "MIIEpAIBAAKCAQEA5w", REDACTION_PRIVATE_KEY},
};

static const char *const harmless[] = {
	/* UUIDs whose digits would make a card. */
	"47333460-0815-4653-8f94-4036d58bab1c",
	"20612227-3597-4349-8894-4036d58bab1c",
	"509b4049-0629-4965-9358-a0689272e239",
	"/orders/da64b629-5205-4311-8648-4f1bf00b8b00",
	/* And other numbers in groups that cards don't have. */
	"4733 34600 8154653",
	"47-33-34-60-08-15-46-53",
	"/",
	"/orders/17",
	"/api/v1/users/3f2a8b54-7f0e-4e0c-9a86-0f3f4a1b2c3d/orders",
	"/assets/index-Dk3f9aB2.js",
	"/commit/16c7e42f292c6912e7710c838347ae178b4a0001",
	"/internationalization/configuration",
	"/getCustomerAccountInformation/V2",
	"Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0",
	"a bearer of tokens",
	"a@b",
	"/@types/node",
	"/pkg/left-pad@1.3.0",
	"4111111111111112",
	"1234567812345670",
	"2024-05-17T12:00:00+0000",
	"192.168.100.200:8080",
	"20240517123456789",
	"eyJ",
	"AKIA",
	"SELECT name FROM users WHERE id = ? AND created_at > ?",
	"100%",
	"%40",
	"@",
	"ghp_short",
	"-----BEGIN CERTIFICATE-----",
};

#endif
