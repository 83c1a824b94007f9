package config

import "log/slog"

const redacted = "[redacted]"

// Secret is a key or another text that must not be shown. Whatever prints, marshals or logs it gets
// a placeholder; Reveal is the one way to its content. The zero value is the absent secret.
//
// The content sits behind a pointer because fmt cannot call String on an unexported field and would
// print what it finds there: of a pointer that is an address.
type Secret struct{ content *string }

// NewSecret returns the secret with this content; an empty one is absent.
func NewSecret(content string) Secret {
	if content == "" {
		return Secret{}
	}
	return Secret{content: &content}
}

// Reveal returns the content, empty if the secret is absent.
func (s Secret) Reveal() string {
	if s.content == nil {
		return ""
	}
	return *s.content
}

// Absent reports whether there is no content.
func (s Secret) Absent() bool { return s.content == nil }

// String returns a placeholder, or nothing for the absent secret.
func (s Secret) String() string {
	if s.Absent() {
		return ""
	}
	return redacted
}

// GoString is String for the %#v verb.
func (s Secret) GoString() string { return `config.Secret("` + s.String() + `")` }

// LogValue is String for log/slog.
func (s Secret) LogValue() slog.Value { return slog.StringValue(s.String()) }

// MarshalText is String for encoders, JSON and YAML among them.
func (s Secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalText takes the text as the content. It never fails, so no error can quote a secret.
func (s *Secret) UnmarshalText(text []byte) error {
	*s = NewSecret(string(text))
	return nil
}
