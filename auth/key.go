package auth

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/golang-jwt/jwt/v5"
)

// ErrKey is wrapped by every error about a key that cannot be used. The message never holds the key.
var ErrKey = errors.New("unusable key")

// DefaultAlgorithm is what an empty Key.Algorithm means.
const DefaultAlgorithm = "HS256"

// minRSABits is the smallest RSA key that RFC 7518 allows, in sections 3.3 and 3.5.
const minRSABits = 2048

// Algorithms returns the signature algorithms that a key may be configured with. "none" is not one.
func Algorithms() []string {
	return []string{
		"HS256", "HS384", "HS512", "RS256", "RS384", "RS512",
		"PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
	}
}

// Key is a key as it is configured, together with the one algorithm it is used with. The algorithm
// belongs to the key and is never taken from a token ("Token Validation").
type Key struct {
	// Material is the secret of an HMAC algorithm, byte for byte, or the PEM text of a public key,
	// a certificate or a private key for the others. A private key verifies with its public half.
	// An empty Material means that there is no key.
	Material []byte
	// Algorithm is one of Algorithms; empty means DefaultAlgorithm.
	Algorithm string
}

// Absent tells whether there is no key.
func (k Key) Absent() bool { return len(k.Material) == 0 }

// Validate reports why the key cannot verify tokens; there is nothing wrong with an absent one. Errors
// wrap ErrKey.
func (k Key) Validate() error {
	if k.Absent() {
		return nil
	}
	_, err := k.verification()
	return err
}

// Format keeps the material out of everything that is printed.
func (k Key) Format(s fmt.State, _ rune) { fmt.Fprintf(s, "{%s key}", k.algorithm()) }

// MarshalText keeps the material out of everything that is encoded, structured logs among it.
func (k Key) MarshalText() ([]byte, error) { return fmt.Appendf(nil, "%v", k), nil }

// Weakness says what is weak about a key that is usable nonetheless, or nothing. RFC 7518, section
// 3.2, wants an HMAC secret to be as long as the hash; such a secret is reported rather than refused
// because deployments of 0.x live with shorter ones.
func (k Key) Weakness() string {
	m, ok := k.method().(*jwt.SigningMethodHMAC)
	if !ok || len(k.Material) >= m.Hash.Size() {
		return ""
	}
	return fmt.Sprintf("the secret has %d bytes; %s asks for at least %d random ones", len(k.Material), m.Name, m.Hash.Size())
}

func (k Key) algorithm() string {
	if k.Algorithm == "" {
		return DefaultAlgorithm
	}
	return k.Algorithm
}

// method returns the signing method, or nil if the algorithm is not allowed.
func (k Key) method() jwt.SigningMethod {
	if !slices.Contains(Algorithms(), k.algorithm()) {
		return nil
	}
	return jwt.GetSigningMethod(k.algorithm())
}

// verificationKey is a key made ready to verify signatures of one algorithm.
type verificationKey struct {
	algorithm string
	method    jwt.SigningMethod
	material  any
}

// signed tells whether signature is this key's signature of text.
func (k *verificationKey) signed(text string, signature []byte) bool {
	return k.method.Verify(text, signature, k.material) == nil
}

// verification returns what verifies signatures made with the key. Errors wrap ErrKey.
func (k Key) verification() (*verificationKey, error) {
	method, material, err := k.parse()
	if err != nil {
		return nil, err
	}
	if private, ok := material.(crypto.Signer); ok {
		material = private.Public()
	}
	return &verificationKey{algorithm: method.Alg(), method: method, material: material}, nil
}

// signing returns what makes signatures with the key. Errors wrap ErrKey.
func (k Key) signing() (jwt.SigningMethod, any, error) {
	method, material, err := k.parse()
	if err != nil {
		return nil, nil, err
	}
	switch material.(type) {
	case []byte, crypto.Signer:
		return method, material, nil
	}
	return nil, nil, fmt.Errorf("%w: signing takes a private key, this is %s", ErrKey, describe(material))
}

// parse returns the method and the secret ([]byte), public key or private key (crypto.Signer) that
// fits it.
func (k Key) parse() (jwt.SigningMethod, any, error) {
	method := k.method()
	if method == nil {
		return nil, nil, fmt.Errorf("%w: algorithm %q is not one of %s", ErrKey, k.Algorithm, strings.Join(Algorithms(), ", "))
	}
	if _, ok := method.(*jwt.SigningMethodHMAC); ok {
		return method, bytes.Clone(k.Material), k.checkSecret()
	}
	material, err := parsePEM(k.Material)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %s takes a key as PEM text: %w", ErrKey, k.algorithm(), err)
	}
	public := material
	if private, ok := material.(crypto.Signer); ok {
		public = private.Public()
	}
	if wanted := mismatch(method, public); wanted != "" {
		return nil, nil, fmt.Errorf("%w: %s takes %s, this is %s", ErrKey, k.algorithm(), wanted, describe(material))
	}
	return method, material, nil
}

// checkSecret refuses what cannot have been meant as an HMAC secret. PEM text above all: were a
// public key used as a secret, whoever has the public key could sign (RFC 8725, section 2.1).
func (k Key) checkSecret() error {
	switch {
	case len(bytes.TrimSpace(k.Material)) == 0:
		return fmt.Errorf("%w: the secret of %s is empty", ErrKey, k.algorithm())
	case bytes.Contains(k.Material, []byte("-----BEGIN ")):
		return fmt.Errorf("%w: %s takes a secret, this is PEM text; name the algorithm of the key, such as RS256, ES256 or EdDSA", ErrKey, k.algorithm())
	}
	return nil
}

// mismatch says what kind of key the method takes if public is not of that kind.
func mismatch(method jwt.SigningMethod, public any) string {
	switch m := method.(type) {
	case *jwt.SigningMethodRSA, *jwt.SigningMethodRSAPSS:
		if key, ok := public.(*rsa.PublicKey); !ok || key.N.BitLen() < minRSABits {
			return fmt.Sprintf("an RSA key of at least %d bits", minRSABits)
		}
	case *jwt.SigningMethodECDSA:
		if key, ok := public.(*ecdsa.PublicKey); !ok || key.Curve.Params().BitSize != m.CurveBits {
			return fmt.Sprintf("an ECDSA key on curve P-%d", m.CurveBits)
		}
	case *jwt.SigningMethodEd25519:
		if _, ok := public.(ed25519.PublicKey); !ok {
			return "an Ed25519 key"
		}
	}
	return ""
}

func describe(material any) string {
	switch key := material.(type) {
	case *rsa.PublicKey:
		return fmt.Sprintf("an RSA public key of %d bits", key.N.BitLen())
	case *rsa.PrivateKey:
		return fmt.Sprintf("an RSA private key of %d bits", key.N.BitLen())
	case *ecdsa.PublicKey:
		return "an ECDSA public key on curve " + key.Curve.Params().Name
	case *ecdsa.PrivateKey:
		return "an ECDSA private key on curve " + key.Curve.Params().Name
	case ed25519.PublicKey:
		return "an Ed25519 public key"
	case ed25519.PrivateKey:
		return "an Ed25519 private key"
	}
	return "a key of another kind"
}

// parsePEM returns the first key in the text. Blocks of other kinds are passed over, because tools
// write the parameters of a curve ahead of the key.
func parsePEM(text []byte) (any, error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type == "ENCRYPTED PRIVATE KEY" || block.Headers["DEK-Info"] != "" {
			return nil, errors.New("the private key is encrypted")
		}
		switch block.Type {
		case "PUBLIC KEY":
			return x509.ParsePKIXPublicKey(block.Bytes)
		case "RSA PUBLIC KEY":
			return x509.ParsePKCS1PublicKey(block.Bytes)
		case "CERTIFICATE":
			certificate, err := x509.ParseCertificate(block.Bytes)
			if err != nil {
				return nil, err
			}
			return certificate.PublicKey, nil
		case "PRIVATE KEY":
			return x509.ParsePKCS8PrivateKey(block.Bytes)
		case "RSA PRIVATE KEY":
			return x509.ParsePKCS1PrivateKey(block.Bytes)
		case "EC PRIVATE KEY":
			return x509.ParseECPrivateKey(block.Bytes)
		}
	}
	return nil, errors.New("no key was found in it")
}
