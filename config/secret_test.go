package config

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

const hush = "s3cr3t-that-must-not-show"

// hidden fails if the text shows the secret.
func hidden(t *testing.T, where, text string) {
	t.Helper()
	if strings.Contains(text, hush) || strings.Contains(text, fmt.Sprintf("%x", hush)) {
		t.Errorf("%s shows the secret: %s", where, text)
	}
}

func TestSecretsAreNeverPrinted(t *testing.T) {
	t.Parallel()
	c := load(t, []string{"--publisher-key", hush}, []string{"HUBD_SUBSCRIBER_KEY=" + hush})
	c.Store = NewStore("redis://user:" + hush + "@redis/0")
	type wrapper struct {
		visible Secret
		Secret  Secret
		store   Store
	}
	w := wrapper{c.Publisher.Key, c.Publisher.Key, c.Store}
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%X", "%d"} {
		for _, value := range []any{c, *c, c.Publisher, c.Publisher.Key, c.Store, w, &w, []Secret{w.visible}, map[string]Store{"x": w.store}} {
			hidden(t, verb, fmt.Sprintf(verb, value))
		}
	}
	text, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	hidden(t, "JSON", string(text))
	if text, err = yaml.Marshal(c.Publisher); err != nil {
		t.Fatal(err)
	}
	hidden(t, "YAML", string(text))
	var log bytes.Buffer
	for _, handler := range []slog.Handler{slog.NewTextHandler(&log, nil), slog.NewJSONHandler(&log, nil)} {
		slog.New(handler).Info("start", "config", c, "key", c.Publisher.Key, "store", c.Store, "struct", w)
	}
	hidden(t, "log", log.String())
	if !strings.Contains(log.String(), redacted) {
		t.Errorf("the log says nothing about the key: %s", log.String())
	}
}

func TestErrorsDoNotShowSecrets(t *testing.T) {
	t.Parallel()
	pem := "-----BEGIN PRIVATE KEY-----\n" + hush + "\n-----END PRIVATE KEY-----\n"
	tests := map[string]struct{ args, environ []string }{
		"flag without value":     {args: []string{"--publisher-key"}},
		"misspelt flag":          {args: []string{"--publisher-kye=" + hush}},
		"PEM and a mistake":      {args: []string{"--publisher-key", pem, "--listen="}},
		"password of a store":    {args: []string{"--store", "redis://user:" + hush + "@redis/0", "--listen="}},
		"password with a slash":  {args: []string{"--store", "redis://user:a/" + hush + "@redis/0"}},
		"password without host":  {args: []string{"--store", "redis://user:" + hush}},
		"password in query":      {args: []string{"--store", "ftp://host/0?password=" + hush}},
		"store without scheme":   {args: []string{"--store", hush}},
		"official store":         {environ: []string{"MERCURE_TRANSPORT_URL=postgres://u:" + hush + "@h/d", "HUBD_LISTEN=x"}},
		"key as list":            {args: []string{"--config", writeFile(t, "publisher-key: ["+hush+"]")}},
		"key as block":           {args: []string{"--config", writeFile(t, "publisher-key: {"+hush+": 1}")}},
		"key under unknown name": {args: []string{"--config", writeFile(t, "publisher_key: "+hush)}},
		"YAML alias":             {args: []string{"--config", writeFile(t, "publisher-key: *"+hush)}},
		"YAML tag":               {args: []string{"--config", writeFile(t, "publisher-key: !"+hush+"!x y")}},
		"YAML quotes":            {args: []string{"--config", writeFile(t, "publisher-key: \""+hush)}},
		"YAML indentation":       {args: []string{"--config", writeFile(t, "publisher-key: a\n  "+hush+": 1\n "+hush)}},
		"unknown variable":       {environ: []string{"HUBD_PUBLISHER_KEYS=" + hush}},
		"key and key file":       {args: []string{"--publisher-key", hush, "--publisher-key-file=/nowhere"}},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := Load(test.args, test.environ)
			if err == nil {
				t.Fatal("Load succeeded, want an error to look at")
			}
			hidden(t, "error", err.Error())
			if strings.Contains(err.Error(), "\n") {
				t.Errorf("the error is not one line: %q", err)
			}
		})
	}
}

func TestKeysKeepTheirBytes(t *testing.T) {
	t.Parallel()
	for name, key := range map[string]string{
		"PEM":           "-----BEGIN PUBLIC KEY-----\nMFkw\n-----END PUBLIC KEY-----\n",
		"not UTF-8":     "\xff\xfe key",
		"commas":        "a,b\\,c",
		"surrounded":    " key ",
		"looks escaped": `a\nb`,
		"interpolation": "${HOME}$x",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			for place, c := range map[string]*Config{
				"flag":              load(t, []string{"--publisher-key", key, "--subscriber-key=" + key}, nil),
				"variable":          load(t, nil, []string{"HUBD_PUBLISHER_KEY=" + key, "HUBD_SUBSCRIBER_KEY=" + key}),
				"official variable": load(t, nil, []string{"MERCURE_PUBLISHER_JWT_KEY=" + key, "MERCURE_SUBSCRIBER_JWT_KEY=" + key}),
			} {
				if c.Publisher.Key.Reveal() != key || c.Subscriber.Key.Reveal() != key {
					t.Errorf("%s: keys are %q and %q, want %q", place, c.Publisher.Key.Reveal(), c.Subscriber.Key.Reveal(), key)
				}
			}
		})
	}
}

func TestKeyFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, []byte(" key with spaces \r\n\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	c := load(t, []string{"--publisher-key-file", path}, []string{"HUBD_SUBSCRIBER_KEY_FILE=" + path})
	for _, key := range []Key{c.Publisher, c.Subscriber} {
		secret, err := key.Material()
		if err != nil || secret.Reveal() != " key with spaces " {
			t.Errorf("Material() = %q, %v", secret.Reveal(), err)
		}
	}
}

func TestKeyFileIsBounded(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(path, bytes.Repeat([]byte("k"), maxKeyFile+1), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := (&Key{File: path}).Material(); !errors.Is(err, errKeyFile) {
		t.Errorf("Material() = %v, want %v", err, errKeyFile)
	}
}
