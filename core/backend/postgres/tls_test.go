package postgres_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pgqrs/pgqrs/core/backend"
	"github.com/pgqrs/pgqrs/core/backend/postgres"
	"github.com/pgqrs/pgqrs/core/internal/testserver"
)

// certify makes a certificate of its own authority for a host, both PEM.
func certify(t *testing.T, host string) (certificate, key []byte) {
	t.Helper()
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: host}, DNSNames: []string{host},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalECPrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}),
		pem.EncodeToMemory(&pem.Block{Type: "EC PRIVATE KEY", Bytes: keyDER})
}

// TestTLSIsWhatSSLModeSays connects to a server with a certificate of the test's own. A
// server that was built without TLS is refused by whoever insists on it.
func TestTLSIsWhatSSLModeSays(t *testing.T) {
	server := testserver.Server(t)
	certificate, key := certify(t, "localhost")
	other, _ := certify(t, "localhost")
	folder := t.TempDir()
	ours, others := filepath.Join(folder, "ours.crt"), filepath.Join(folder, "others.crt")
	if err := errors.Join(os.WriteFile(ours, certificate, 0o600), os.WriteFile(others, other, 0o600)); err != nil {
		t.Fatal(err)
	}
	err := server.EnableTLS(certificate, key)
	offers := !errors.Is(err, testserver.ErrNoTLS)
	if err != nil && offers {
		t.Fatal(err)
	}
	for _, c := range []struct {
		host, mode, authority string
		connects, encrypted   bool
	}{
		{"localhost", "disable", "", true, false},
		{"localhost", "prefer", "", true, offers},
		{"localhost", "require", "", offers, true},
		{"localhost", "verify-ca", ours, offers, true},
		{"localhost", "verify-full", ours, offers, true},
		{"127.0.0.1", "verify-ca", ours, offers, true},
		{"127.0.0.1", "verify-full", ours, false, false}, // another name than the certificate's
		{"localhost", "verify-ca", others, false, false}, // an authority that nobody trusts
		{"localhost", "verify-full", others, false, false},
	} {
		u, err := url.Parse(server.AdminDSN())
		if err != nil {
			t.Fatal(err)
		}
		u.Host = c.host + ":" + u.Port()
		u.RawQuery = url.Values{"sslmode": {c.mode}, "sslrootcert": {c.authority}}.Encode()
		what := c.host + " " + c.mode + " " + filepath.Base(c.authority)
		b, err := postgres.Open(context.Background(), postgres.Config{DSN: u.String(), ConnectTimeout: 20 * time.Second, AutoInstall: true})
		if err != nil {
			if c.connects || !errors.Is(err, backend.ErrConnection) || !mentionsTLS(err) {
				t.Errorf("%s: %v", what, err)
			}
			continue
		}
		var encrypted bool
		err = b.Pool().QueryRow(context.Background(), "select ssl from pg_stat_ssl where pid = pg_backend_pid()").Scan(&encrypted)
		if !c.connects || err != nil || encrypted != c.encrypted {
			t.Errorf("%s: connected, encrypted %v, %v", what, encrypted, err)
		}
		_ = b.Close()
	}
}

// mentionsTLS says whether an error tells what is wrong.
func mentionsTLS(err error) bool {
	return strings.Contains(err.Error(), "tls") || strings.Contains(err.Error(), "TLS") || strings.Contains(err.Error(), "certificate")
}
