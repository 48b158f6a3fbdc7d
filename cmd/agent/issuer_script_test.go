package main

import (
	"bytes"
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"math/big"
	"net"
	"net/http"
	"os"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// trustedIssuer registers an identity provider in IS, as an administrator does in the Console, and writes tokens of it for ann: good.jwt,
// expired.jwt, and other.jwt for another audience.
func trustedIssuer(ts *testscript.TestScript, _ bool, _ []string) {
	const issuer, alias = "https://idp.example", "https://is.example/oauth2/token"
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	ts.Check(err)
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	ts.Check(err)
	body, err := json.Marshal(map[string]any{"name": "Partner", "idpIssuerName": issuer, "alias": alias, "certificate": map[string]any{
		"certificates": []string{base64.StdEncoding.EncodeToString(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))},
	}})
	ts.Check(err)
	req, err := http.NewRequest(http.MethodPost, "https://"+net.JoinHostPort(ts.Getenv("IS_HOST"), ts.Getenv("IS_PORT"))+"/api/server/v1/identity-providers", bytes.NewReader(body))
	ts.Check(err)
	req.SetBasicAuth("admin", "admin")
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}} // of the script's own stand-in
	resp, err := client.Do(req)
	ts.Check(err)
	resp.Body.Close()
	if resp.StatusCode != http.StatusCreated {
		ts.Fatalf("register the identity provider: HTTP %d", resp.StatusCode)
	}
	for name, claims := range map[string]struct {
		audience string
		expires  time.Duration
	}{"good.jwt": {alias, time.Hour}, "expired.jwt": {alias, -time.Hour}, "other.jwt": {"https://other.example", time.Hour}} {
		text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256"}`)) + "." +
			base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, `{"iss":%q,"sub":"ann","aud":%q,"exp":%d}`, issuer, claims.audience, time.Now().Add(claims.expires).Unix()))
		sum := sha256.Sum256([]byte(text))
		signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(name), []byte(text+"."+base64.RawURLEncoding.EncodeToString(signature)+"\n"), 0o600))
	}
}
