package config

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

const referenceHead = `# Configuration

<!-- Generated from the struct in config/config.go: change that and run "make docs". -->

Every setting is a flag, an environment variable and a key of the configuration file. ` + "`--public-url`" + ` is
` + "`HUBD_PUBLIC_URL`" + ` is ` + "`public-url:`" + `. Where several places have a setting, the first of these counts: the command
line, the environment, the file, the default. ` + "`hubd check`" + ` reads them as the hub would, names everything that is
wrong, and exits with 0 or 2.

- An unknown key of the file and an unknown variable that starts with ` + "`HUBD_`" + ` are errors.
- An empty variable counts as unset, except where the text below says what empty means.
- Durations are written like ` + "`15s`, `10m` or `24h`" + `; sizes in bytes or like ` + "`256KiB`, `1MiB` or `2GB`" + ` (KiB and MiB count in
  1024s, KB and MB in 1000s).
- Lists are separated by commas; in the file they can be YAML lists. A flag of a list can be repeated.
- No secret has a default, and no secret is shown in a log, an error or the output of ` + "`hubd check`" + `.

` + "```yaml" + `
# hubd.yaml, read with: hubd --config hubd.yaml
listen: 127.0.0.1:3000
public-url: https://example.com/.well-known/mercure
store: bolt:///var/lib/hubd/hub.db
publisher-key-file: /etc/hubd/publisher.key
subscriber-key-file: /etc/hubd/subscriber.key
cors-origins:
  - https://example.com
` + "```" + `
`

const issuersHead = `
### More issuers

Every issuer of 1.0 tokens has keys of its own: a token is verified with those of the issuer that its ` + "`iss`" + ` claim names, and
with no others. Beside the issuer of the keys above, more of them are blocks of the configuration file under ` + "`issuers:`" + `:

` + "```yaml" + `
issuers:
  - issuer: https://login.example.com/realms/shop
    publisher-jwks-url: https://login.example.com/realms/shop/protocol/openid-connect/certs
    publisher-jwks-algs: [RS256]
    subscriber-jwks-url: https://login.example.com/realms/shop/protocol/openid-connect/certs
  - issuer: https://billing.example.com
    publisher-key-file: /etc/hubd/billing.pem
    publisher-alg: ES256
` + "```" + `

A block has these keys, which mean what the flags of the same names do, and no variables. A role that has neither a
key nor a key set accepts no token of that issuer.

`

const referenceTail = `
## In place of the official image

These variables of the official Mercure image are read like the hub's own. Where both are set, the hub's own
counts. An empty one counts as unset.

%s
` + "`MERCURE_TRANSPORT_URL`" + ` becomes ` + "`store`" + ` and ` + "`history-max-events`" + `:

| official URL | here |
|---|---|
| ` + "`bolt://PATH`" + ` | ` + "`bolt://PATH`" + ` |
| ` + "`bolt://PATH?size=N`" + ` | ` + "`bolt://PATH`" + ` and ` + "`history-max-events`" + ` N; 0 keeps every update |
| ` + "`bucket_name`, `cleanup_frequency`" + ` | no effect: the bound of the history is exact |
| ` + "`local://local`, `null://`" + ` | ` + "`memory://`" + ` |

The two hubs do not read each other's files: give this one a path of its own. ` + "`MERCURE_EXTRA_DIRECTIVES`" + ` is not
read; the hub says so when it starts.

## Exit codes

0 is a clean stop, 1 a failure at run time, 2 a bad configuration or usage.
`

// Reference returns the reference page of all settings, in Markdown.
func Reference() string {
	var page, aliases strings.Builder
	page.WriteString(referenceHead)
	aliases.WriteString("| official | here |\n|---|---|\n")
	flags := (&Config{}).settings()
	for _, g := range groups() {
		fmt.Fprintf(&page, "\n## %s\n\n| flag | variable | default | |\n|---|---|---|---|\n", g.title)
		for _, flag := range flags {
			if flag.Tag.Group != g.key {
				continue
			}
			fmt.Fprintf(&page, "| `--%s` | `%s` | %s | %s |\n", flag.Name, envName(flag.Name), shownDefault(flag), flag.Help)
			if alias := aliasName(flag); alias != "" {
				fmt.Fprintf(&aliases, "| `%s` | `%s` |\n", alias, flag.Name)
			}
		}
		if g.key == "tokens" {
			page.WriteString(issuersReference())
		}
	}
	fmt.Fprintf(&aliases, "| `%s` | `store`, `history-max-events` |\n", transportVariable)
	fmt.Fprintf(&page, referenceTail, aliases.String())
	return page.String()
}

// issuersReference returns the section about blocks of issuers.
func issuersReference() string {
	var section strings.Builder
	section.WriteString(issuersHead + "| key | default |\n|---|---|\n")
	for _, flag := range (&Issuer{}).settings() {
		fmt.Fprintf(&section, "| `%s` | %s |\n", flag.Name, shownDefault(flag))
	}
	return section.String()
}

func shownDefault(flag *kong.Flag) string {
	switch {
	case flag.Tag.Has("shown"):
		return flag.Tag.Get("shown")
	case flag.HasDefault:
		return "`" + flag.Default + "`"
	case flag.IsBool():
		return "`false`"
	}
	return "none"
}
