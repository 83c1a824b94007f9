package jetstream

import (
	"errors"
	"fmt"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"hubd/persistence"
)

// Defaults of Options and of the URL.
const (
	DefaultTimeout  = 5 * time.Second
	DefaultStream   = "hubd"
	DefaultReplicas = 1
)

// maxNameLen leaves room for what is added to the name of the stream.
const maxNameLen = 64

// Options are those of Open. Only URL is required.
type Options struct {
	// URL says where the servers are and which stream of theirs is the store:
	//
	//	nats://[user:password@]host[:port][,host[:port]…]/?stream=hubd&replicas=3
	//
	// With the scheme tls the connection is encrypted. The query may also have storage (file or memory), domain (a
	// JetStream domain), creds (a file of credentials), nkey (a file with a seed), token, ca, cert and key (files
	// in PEM). Replicas and storage count when the stream is made.
	URL string
	// Retention bounds the history.
	Retention persistence.Retention
	// Ring bounds the newest events that are read without going to the engine.
	Ring persistence.RingOptions
	// Timeout bounds each call that needs the engine; 0 is DefaultTimeout.
	Timeout time.Duration
	// Now is the clock that dates events; nil is time.Now.
	Now func() time.Time
	// Contacted is told when the engine stops to answer and when it answers again; it may be nil.
	Contacted persistence.Contacted
	// Lost is told that the engine lost the events after one position up to another, or holds them so that they cannot
	// be read; it may be nil. It must not block.
	Lost func(after, upto uint64)
	// PageCut is told that a page of messages arrived without a part of it, which is asked for again; it may be nil.
	PageCut func()

	// dialer lets tests get hold of the connections; nil is that of the client.
	dialer nats.CustomDialer
	// reconnectWait is what tests make shorter; 0 is defaultReconnectWait.
	reconnectWait time.Duration
}

func (o Options) withDefaults() Options {
	if o.Timeout == 0 {
		o.Timeout = DefaultTimeout
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.reconnectWait == 0 {
		o.reconnectWait = defaultReconnectWait
	}
	return o
}

// Validate reports an option that makes no sense. The error does not repeat the URL, which may hold a password.
func (o Options) Validate() error {
	if o.Timeout < 0 {
		return fmt.Errorf("the timeout %s is negative", o.Timeout)
	}
	if err := o.Retention.Validate(); err != nil {
		return err
	}
	if err := o.Ring.Validate(); err != nil {
		return err
	}
	_, err := parseTarget(o.URL)
	return err
}

// target is a parsed URL.
type target struct {
	servers  []string // URLs without user and password
	hosts    string   // for messages
	stream   string
	replicas int
	memory   bool
	domain   string
	secrets  []string // never to be shown
	connect  []nats.Option
}

var errURL = errors.New("the URL is not of the form nats://host:port/?stream=name")

func parseTarget(text string) (target, error) {
	t := target{stream: DefaultStream, replicas: DefaultReplicas}
	scheme, rest, ok := strings.Cut(text, "://")
	if !ok || scheme != "nats" && scheme != "tls" {
		return t, errURL
	}
	authority, query := rest, ""
	if i := strings.IndexAny(rest, "/?"); i >= 0 {
		authority = rest[:i]
		path, q, _ := strings.Cut(rest[i:], "?")
		if path != "" && path != "/" {
			return t, errURL
		}
		query = q
	}
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, err := url.Parse(scheme + "://" + authority[:i+1] + "host")
		if err != nil {
			return t, errors.New("the URL's user or password is not escaped as it must be")
		}
		password, has := user.User.Password()
		if has {
			t.secrets = append(t.secrets, password)
			t.connect = append(t.connect, nats.UserInfo(user.User.Username(), password))
		} else {
			t.secrets = append(t.secrets, user.User.Username())
			t.connect = append(t.connect, nats.Token(user.User.Username()))
		}
		authority = authority[i+1:]
	}
	for host := range strings.SplitSeq(authority, ",") {
		if _, err := url.Parse(scheme + "://" + host); err != nil || host == "" {
			return t, errURL
		}
		t.servers = append(t.servers, scheme+"://"+host)
	}
	t.hosts = authority
	if scheme == "tls" {
		t.connect = append(t.connect, nats.Secure())
	}
	values, err := url.ParseQuery(query)
	if err != nil {
		return t, errors.New("the URL's query cannot be read")
	}
	return t, t.query(values)
}

// query takes over what the URL's query says.
func (t *target) query(values url.Values) error {
	for name, all := range values {
		value := all[0]
		if len(all) > 1 || value == "" {
			return fmt.Errorf("the URL's parameter %q must have one value", name)
		}
		switch name {
		case "stream":
			if len(value) > maxNameLen || strings.Trim(value, nameCharacters) != "" {
				return fmt.Errorf("the stream's name %q has other characters than letters, digits, - and _, or too many", value)
			}
			t.stream = value
		case "replicas":
			n, err := strconv.Atoi(value)
			if err != nil || n < 1 || n > 5 {
				return errors.New("the URL's parameter \"replicas\" is not a number from 1 to 5")
			}
			t.replicas = n
		case "storage":
			if value != "file" && value != "memory" {
				return errors.New("the URL's parameter \"storage\" is neither file nor memory")
			}
			t.memory = value == "memory"
		case "domain":
			t.domain = value
		case "token":
			t.secrets = append(t.secrets, value)
			t.connect = append(t.connect, nats.Token(value))
		case "creds":
			t.connect = append(t.connect, nats.UserCredentials(value))
		case "nkey":
			option, err := nats.NkeyOptionFromSeed(value)
			if err != nil {
				return fmt.Errorf("the seed file %s cannot be used: %w", value, err)
			}
			t.connect = append(t.connect, option)
		case "ca":
			t.connect = append(t.connect, nats.RootCAs(value))
		case "cert":
			if values.Get("key") == "" {
				return errors.New("the URL's parameter \"cert\" needs \"key\"")
			}
			t.connect = append(t.connect, nats.ClientCert(value, values.Get("key")))
		case "key":
			if values.Get("cert") == "" {
				return errors.New("the URL's parameter \"key\" needs \"cert\"")
			}
		default:
			return fmt.Errorf("the URL's parameter %q is unknown", name)
		}
	}
	return nil
}

const nameCharacters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"

// redact takes what must not be shown out of a text.
func (t *target) redact(text string) string {
	for _, secret := range t.secrets {
		if secret != "" {
			text = strings.ReplaceAll(text, secret, "xxxxx")
			text = strings.ReplaceAll(text, url.QueryEscape(secret), "xxxxx")
		}
	}
	return text
}
