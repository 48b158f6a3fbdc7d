package keystore

import (
	"bytes"
	"encoding/pem"
	"errors"
	"slices"
	"strings"
	"testing"

	"wso2agent/internal/testenv"
)

// errAny stands for an error that callers do not distinguish.
var errAny = errors.New("any")

func TestPEMHoldsCertificatesAndNothingElse(t *testing.T) {
	a, b := newIdentity(t, "a", nil).cert.Raw, newIdentity(t, "b", nil).cert.Raw
	block := func(kind string, der []byte) string {
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	nameless, _ := testenv.NamelessCA(t)
	first, second, bad := block("CERTIFICATE", a), block("CERTIFICATE", b), block("CERTIFICATE", nameless)
	key := block("EC PRIVATE KEY", []byte("secret"))
	strict, text, bundle := PEM{Max: 2, Strict: true}, PEM{Max: 2}, PEM{Max: 2, Bundle: true}
	for name, c := range map[string]struct {
		pem   PEM
		data  string
		want  [][]byte // the certificates
		is    error    // which error
		parts string   // of the error
	}{
		"one":                         {strict, first, [][]byte{a}, nil, ""},
		"two":                         {strict, first + second, [][]byte{a, b}, nil, ""},
		"words before":                {strict, "subject=CN=a\n" + first, [][]byte{a}, nil, ""},
		"words between":               {strict, first + "\nissuer=CN=b\n" + second + "\n\n", [][]byte{a, b}, nil, ""},
		"words behind":                {text, first + "issuer=CN=a\n", [][]byte{a}, nil, ""},
		"line ends of another system": {strict, strings.ReplaceAll(first, "\n", "\r\n"), [][]byte{a}, nil, ""},
		"words behind, refused":       {strict, first + "issuer=CN=a\n", nil, ErrPEMTorn, "text behind"},
		"three":                       {text, first + second + first, nil, errAny, "holds 3 certificates, more than 2"},
		"nothing":                     {text, " \n", nil, ErrPEMEmpty, "is empty"},
		"DER":                         {text, string(a), nil, errAny, "is not PEM; convert it"},
		"a page":                      {strict, "<html></html>", nil, errAny, "is not PEM"},
		"half of one":                 {text, first[:len(first)/2], nil, ErrPEMTorn, "cut off"},
		"one and half":                {text, first + second[:100], nil, ErrPEMTorn, "cut off"},
		"half and one":                {text, first[:100] + "\n" + second, nil, ErrPEMTorn, "damaged"},
		"an end behind":               {strict, first + "-----END CERTIFICATE-----\n", nil, ErrPEMTorn, "text behind"},
		"one and a bit":               {strict, first + second[:8], nil, ErrPEMTorn, "cut off"},
		"an end that lacks its last":  {strict, first[:len(first)-2], nil, ErrPEMTorn, "cut off"},
		"a key":                       {text, key, nil, ErrPEMKey, "holds a private key"},
		"a key behind":                {bundle, first + key, nil, ErrPEMKey, "holds a private key"},
		"an encrypted key":            {text, block("ENCRYPTED PRIVATE KEY", []byte("x")), nil, ErrPEMKey, ""},
		"a key and half":              {text, key + first[:100], nil, ErrPEMKey, ""},
		"a request":                   {text, block("CERTIFICATE REQUEST", []byte("x")), nil, errAny, `holds a "CERTIFICATE REQUEST"; only certificates`},
		"a long label":                {text, block(strings.Repeat("A", 1000), []byte("x")), nil, errAny, strings.Repeat("A", 40) + `";`},
		"rubbish":                     {text, block("CERTIFICATE", []byte("x")), nil, errAny, "holds a certificate SHA-256"},
		"what Java refuses":           {text, bad, nil, errAny, "holds a certificate SHA-256"},
		"what Java refuses, bundled":  {bundle, bad + first, [][]byte{nameless, a}, nil, ""},
		"too much":                    {text, first + strings.Repeat("\n", maxPEM), nil, errAny, "more than 65536"},
	} {
		certs, err := c.pem.Certificates([]byte(c.data))
		if !slices.EqualFunc(certs, c.want, func(c Certificate, der []byte) bool { return bytes.Equal(c.DER, der) }) {
			t.Errorf("%s: %d certificates, want %d", name, len(certs), len(c.want))
		}
		known := errors.Is(err, ErrPEMEmpty) || errors.Is(err, ErrPEMTorn) || errors.Is(err, ErrPEMKey)
		switch {
		case c.is == nil && err != nil, c.is != nil && err == nil, c.is == errAny && known, c.is != nil && c.is != errAny && !errors.Is(err, c.is):
			t.Errorf("%s: error = %v, want %v", name, err, c.is)
		case err != nil && !strings.Contains(err.Error(), c.parts):
			t.Errorf("%s: error = %v, want %q", name, err, c.parts)
		}
	}
	if got := (Certificate{DER: a}).PEM(); string(got) != first {
		t.Errorf("a certificate in PEM is %q", got)
	}
}

func FuzzPEM(f *testing.F) {
	der, _ := testenv.NamelessCA(f)
	one := Certificate{DER: der}.PEM()
	f.Add(one, true)
	f.Add(slices.Concat([]byte("a\n"), one, one[:40]), false)
	f.Add([]byte("-----BEGIN EC PRIVATE KEY-----\nAAAA\n-----END EC PRIVATE KEY-----\n"), false)
	f.Fuzz(func(t *testing.T, data []byte, strict bool) {
		certs, err := PEM{Max: 4, Strict: strict, Bundle: true}.Certificates(data)
		if (err == nil) != (len(certs) > 0) || len(certs) > 4 {
			t.Fatalf("%d certificates and %v", len(certs), err)
		}
		var written []byte
		for _, c := range certs {
			written = append(written, c.PEM()...)
		}
		again, err := PEM{Max: 4, Strict: true, Bundle: true}.Certificates(written)
		if len(certs) > 0 && (err != nil || !slices.EqualFunc(again, certs, func(a, b Certificate) bool { return bytes.Equal(a.DER, b.DER) })) {
			t.Errorf("%d certificates become %d, %v", len(certs), len(again), err)
		}
	})
}
