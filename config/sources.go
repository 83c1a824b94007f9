package config

import (
	"errors"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// errNoValue is returned for a flag at the end of the command line that takes a value.
var errNoValue = errors.New("needs a value")

// Sources are the places besides the command line that settings come from: the environment and the
// configuration file. It serves one parse of one command line, by one goroutine.
type Sources struct {
	environ   map[string]string
	transport transport

	loaded bool
	// asked are the settings that are not on the command line: the parser asks for those alone.
	asked    map[string]bool
	file     map[string]entry
	path     string
	known    []string
	issuers  []Issuer
	problems Problems
}

// NewSources returns the sources of an environment in the form of os.Environ.
func NewSources(environ []string) *Sources {
	s := &Sources{environ: map[string]string{}, file: map[string]entry{}, asked: map[string]bool{}}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		s.environ[name] = value
	}
	if address := s.environ[transportVariable]; address != "" && s.environ[envName("store")] == "" {
		s.transport = parseTransport(address)
	}
	return s
}

// Options returns what a parser needs to fill a Config that is embedded in its grammar.
func (s *Sources) Options() []kong.Option {
	titles := make([]kong.Group, len(groups()))
	for i, g := range groups() {
		titles[i] = kong.Group{Key: g.key, Title: g.title + ":"}
	}
	return []kong.Option{
		kong.Resolvers(s),
		kong.ExplicitGroups(titles),
		kong.ValueFormatter(helpText),
		kong.TypeMapper(reflect.TypeFor[Secret](), kong.MapperFunc(decodeOpaque)),
		kong.TypeMapper(reflect.TypeFor[Store](), kong.MapperFunc(decodeOpaque)),
	}
}

// Finish completes c, its notes included, after the parse and returns everything that is wrong with the settings, in the
// order of the reference page.
func (s *Sources) Finish(c *Config) Problems {
	c.Complete()
	c.Issuers = s.issuers
	c.Notes = append(s.notes(), c.exposures(func(setting string) bool { return !s.asked[setting] })...)
	problems := slices.Clone(s.problems)
	for _, problem := range c.Validate() {
		if !problems.Has(problem.Key) && !problems.Has(problem.setting()) {
			problems = append(problems, problem)
		}
	}
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return slices.Index(s.known, a.setting()) - slices.Index(s.known, b.setting())
	})
	return problems
}

// notes returns which variables of the official image have no effect here.
func (s *Sources) notes() []string {
	var notes []string
	for _, name := range slices.Sorted(maps.Keys(s.environ)) {
		switch {
		case !strings.HasPrefix(name, "MERCURE_"), s.environ[name] == "", isServiceVariable(name), isAlias(name):
		case name == "MERCURE_EXTRA_DIRECTIVES":
			notes = append(notes, name+" is not read; set what it says with the hub's own variables, such as HUBD_ANONYMOUS or HUBD_CORS_ORIGINS")
		default:
			notes = append(notes, name+" is not read")
		}
	}
	for _, name := range s.transport.ignored {
		notes = append(notes, fmt.Sprintf("%s: parameter %q is not read", transportVariable, name))
	}
	return notes
}

// Validate implements kong.Resolver. Finish reports what is wrong.
func (s *Sources) Validate(*kong.Application) error { return nil }

// Resolve implements kong.Resolver: it returns the value of a setting that is not on the command line,
// nil for the default. A value that does not fit is noted as a problem and passed over, so that the
// parse goes on and finds the others.
func (s *Sources) Resolve(ctx *kong.Context, parent *kong.Path, flag *kong.Flag) (any, error) {
	if !isSetting(flag) {
		return nil, nil
	}
	if !s.loaded {
		s.loaded = true
		s.load(ctx, onlySettings(parent.Flags))
	}
	s.asked[flag.Name] = true
	value, source := s.lookup(flag)
	if value == nil {
		return nil, nil
	}
	if fault := misfit(flag, value); fault != "" {
		s.problems = append(s.problems, Problem{flag.Name, source + " " + fault})
		return nil, nil
	}
	return value, nil
}

// load reads the configuration file, and reports what the file and the environment have beyond the
// settings.
func (s *Sources) load(ctx *kong.Context, flags []*kong.Flag) {
	variables := make([]string, len(flags))
	for i, flag := range flags {
		s.known = append(s.known, flag.Name)
		variables[i] = envName(flag.Name)
		switch flag.Name {
		case "config":
			s.path, _ = ctx.FlagValue(flag).(string)
		case "issuer":
			s.known = append(s.known, issuersKey)
		}
	}
	if s.path == "" {
		s.path = s.environ[envName("config")]
	}
	for _, name := range slices.Sorted(maps.Keys(s.environ)) {
		if strings.HasPrefix(name, envPrefix) && !slices.Contains(variables, name) && !isServiceVariable(name) {
			s.problems = append(s.problems, Problem{name, "no setting has this variable; " + advise(name, variables)})
		}
	}
	if s.path == "" {
		return
	}
	entries, problems := readFile(s.path)
	s.problems = append(s.problems, problems...)
	keys := slices.DeleteFunc(slices.Clone(s.known), func(key string) bool { return key == "config" })
	for _, e := range entries {
		if !slices.Contains(keys, e.key) {
			s.problems = append(s.problems, Problem{e.key, fmt.Sprintf("%s line %d: no setting has this key; %s", s.path, e.line, advise(e.key, keys))})
			continue
		}
		if blocks, ok := e.value.([]block); ok {
			s.issuers, problems = readIssuers(s.path, blocks)
			s.problems = append(s.problems, problems...)
			continue
		}
		s.file[e.key] = e
	}
}

// lookup returns the value of a setting, nil if there is none, and where it comes from.
func (s *Sources) lookup(flag *kong.Flag) (value any, source string) {
	name := envName(flag.Name)
	text, set := s.environ[name]
	if set && (text != "" || flag.Tag.Has("empty")) {
		return text, name
	}
	if alias := aliasName(flag); alias != "" && s.environ[alias] != "" {
		return s.environ[alias], alias
	}
	switch {
	case flag.Name == "store" && s.transport.store != "":
		return s.transport.store, transportVariable
	case flag.Name == "history-max-events" && s.transport.maxEvents != "":
		return s.transport.maxEvents, transportVariable
	}
	if e, found := s.file[flag.Name]; found {
		return e.value, fmt.Sprintf("%s line %d:", s.path, e.line)
	}
	return nil, ""
}

// misfit says why the value cannot be the flag's, or nothing. Secrets and stores take any text, so a
// value that may not be shown is never quoted here.
func misfit(flag *kong.Flag, value any) string {
	_, list := value.([]any)
	if list && !flag.IsSlice() {
		return "takes one value, not a list"
	}
	target := reflect.New(flag.Target.Type()).Elem()
	scan := kong.Scan().PushTyped(value, kong.FlagValueToken)
	if err := flag.Mapper.Decode(&kong.DecodeContext{Value: flag.Value, Scan: scan}, target); err != nil {
		return fmt.Sprintf("is %.60q; write %s", value, kindOf(target.Type()))
	}
	return ""
}

// decodeOpaque fills a Secret or a Store with the next token byte for byte. A PEM text starts with
// dashes and is taken nonetheless; no error quotes the token.
func decodeOpaque(ctx *kong.DecodeContext, target reflect.Value) error {
	token := ctx.Scan.Pop()
	text, ok := token.Value.(string)
	if !ok || !token.IsValue() && !strings.HasPrefix(text, "-----BEGIN ") {
		return errNoValue
	}
	unmarshaler, ok := target.Addr().Interface().(interface{ UnmarshalText([]byte) error })
	if !ok {
		return errNoValue
	}
	return unmarshaler.UnmarshalText([]byte(text))
}

// isServiceVariable reports whether Kubernetes made the variable for a service whose name starts with
// hubd or mercure: HUBD_SERVICE_HOST, HUBD_PORT, HUBD_PORT_3000_TCP_ADDR and their like.
func isServiceVariable(name string) bool {
	return regexp.MustCompile(`^(HUBD|MERCURE)_(.+_)?(SERVICE_HOST|SERVICE_PORT(_.+)?|PORT(_\d+_(TCP|UDP|SCTP)(_.+)?)?)$`).MatchString(name)
}

func isAlias(name string) bool {
	return name == transportVariable || regexp.MustCompile(`^MERCURE_(PUBLISHER|SUBSCRIBER)_JWT_(KEY|ALG)$`).MatchString(name)
}

// helpText adds the variable to the help of a setting.
func helpText(value *kong.Value) string {
	if value.Flag == nil || !isSetting(value.Flag) {
		return kong.DefaultHelpValueFormatter(value)
	}
	return strings.TrimSpace(value.Help) + " ($" + envName(value.Name) + ")"
}

// Load parses a command line that has no commands, only settings, and returns the complete, valid
// configuration. The error is Problems unless the command line itself is wrong.
func Load(args, environ []string) (*Config, error) {
	c, sources := &Config{}, NewSources(environ)
	parser, err := grammar(c, sources.Options()...)
	if err != nil {
		return nil, fmt.Errorf("build the parser of the settings: %w", err)
	}
	if _, err := parser.Parse(args); err != nil {
		return nil, fmt.Errorf("read the command line: %w", err)
	}
	if err := sources.Finish(c).Err(); err != nil {
		return nil, err
	}
	return c, nil
}
