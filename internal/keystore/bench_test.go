package keystore

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"wso2agent/internal/testenv"
)

// BenchmarkImport opens a store, adds a trusted certificate and encodes it, as an agent does once per peer. The floor
// of IS's stores is their key derivation: 200,000 rounds of SHA-1 to open, as many to write.
func BenchmarkImport(b *testing.B) {
	cert := newIdentity(b, "peer", nil).certificate()
	for _, real := range realStores() {
		data := readReal(b, real.file)
		b.Run(real.file, func(b *testing.B) { benchmarkImport(b, data, cert) })
	}
	b.Run("true JKS", func(b *testing.B) { benchmarkImport(b, trueJKS(b), cert) })
}

func benchmarkImport(b *testing.B, data []byte, cert Certificate) {
	b.ReportAllocs()
	for b.Loop() {
		s, err := Open(data, realPassword)
		if err != nil {
			b.Fatal(err)
		}
		if err := s.SetTrusted("peer", cert, testTime()); err != nil {
			b.Fatal(err)
		}
		if _, err := s.Encode(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkCheck is what an agent does most: find that nothing has to change.
func BenchmarkCheck(b *testing.B) {
	for _, real := range realStores() {
		data := readReal(b, real.file)
		b.Run(real.file, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				s, err := Open(data, realPassword)
				if err != nil {
					b.Fatal(err)
				}
				_ = s.Entries()
			}
		})
	}
}

// trueJKS is API-M's truststore in the format of its older and newer versions.
func trueJKS(b *testing.B) []byte {
	b.Helper()
	to := filepath.Join(b.TempDir(), "true.jks")
	from := testenv.Shared(b, "keystores", "apim-4.5.0/client-truststore.jks")
	out, err := exec.Command(testenv.Command(b, "keytool"), "-importkeystore", "-srckeystore", from, "-srcstorepass", realPassword,
		"-destkeystore", to, "-deststoretype", "JKS", "-deststorepass", realPassword, "-noprompt").CombinedOutput()
	if err != nil {
		b.Fatalf("keytool: %v\n%s", err, out)
	}
	data, err := os.ReadFile(to)
	if err != nil {
		b.Fatal(err)
	}
	return data
}
