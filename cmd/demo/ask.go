package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"crypto/tls"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"mime/multipart"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"wso2agent/internal/keystore"
)

// asker asks the servers over HTTPS, as an independent client would: it accepts exactly the certificates that are or
// were in the servers' own keystores.
type asker struct {
	ctx    context.Context
	client *http.Client
	sides  []side

	mu    sync.Mutex
	known map[keystore.Fingerprint]bool
}

// leafOf is the certificate of a server, out of its home: of the keystore that the agent has made, or else of the stock one.
func leafOf(s side) (keystore.Certificate, error) {
	security := filepath.Join(s.home, "repository/resources/security")
	alias := ""
	data, err := os.ReadFile(filepath.Join(security, "wso2agent-tls.p12"))
	if errors.Is(err, fs.ErrNotExist) {
		alias = "wso2carbon"
		data, err = os.ReadFile(filepath.Join(security, s.behaviour.Keystore))
	}
	if err != nil {
		return keystore.Certificate{}, err
	}
	store, err := keystore.Open(data, "wso2carbon")
	if err != nil {
		return keystore.Certificate{}, err
	}
	return store.Leaf(alias)
}

func newAsker(ctx context.Context, sides ...side) *asker {
	k := &asker{ctx: ctx, sides: sides, known: map[keystore.Fingerprint]bool{}}
	k.client = &http.Client{Timeout: 20 * time.Second, Transport: &http.Transport{TLSClientConfig: &tls.Config{
		// The certificates name localhost and one of them has expired, so they are known by their fingerprints.
		InsecureSkipVerify: true,
		VerifyConnection:   k.verify,
	}}}
	return k
}

// verify accepts what is or was in the keystore of a server: the server serves a new certificate some time after it is there.
func (k *asker) verify(c tls.ConnectionState) error {
	k.mu.Lock()
	defer k.mu.Unlock()
	for _, s := range k.sides {
		leaf, err := leafOf(s)
		if err != nil {
			return err
		}
		k.known[leaf.Fingerprint()] = true
	}
	if !k.known[sha256.Sum256(c.PeerCertificates[0].Raw)] {
		return errors.New("the server shows another certificate than the one in its keystore")
	}
	return nil
}

// answer is what a server said.
type answer struct {
	status int
	body   []byte
}

// field returns a text or number of the body's top level, or empty.
func (a answer) field(name string) string {
	var m map[string]any
	if json.Unmarshal(a.body, &m) != nil || m[name] == nil {
		return ""
	}
	return fmt.Sprint(m[name])
}

func (a answer) String() string { return fmt.Sprintf("HTTP %d %.200s", a.status, a.body) }

// unexpected is the error for an answer that is not the one a step needs.
func unexpected(a answer, err error) error {
	if err != nil {
		return err
	}
	return errors.New("the answer was " + a.String())
}

// do sends a request; authorization may be empty.
func (k *asker) do(method, address, authorization, contentType string, body []byte) (answer, error) {
	req, err := http.NewRequestWithContext(k.ctx, method, address, bytes.NewReader(body))
	if err != nil {
		return answer{}, err
	}
	if authorization != "" {
		req.Header.Set("Authorization", authorization)
	}
	if contentType != "" {
		req.Header.Set("Content-Type", contentType)
	}
	resp, err := k.client.Do(req)
	if err != nil {
		return answer{}, err
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return answer{resp.StatusCode, data}, err
}

func (k *asker) get(address, authorization string) (answer, error) {
	return k.do(http.MethodGet, address, authorization, "", nil)
}

func (k *asker) form(address, authorization string, values url.Values) (answer, error) {
	return k.do(http.MethodPost, address, authorization, "application/x-www-form-urlencoded", []byte(values.Encode()))
}

// discover makes API-M read IS's discovery document. That goes through API-M's own truststore, and changes nothing.
func (k *asker) discover(am, is side) (answer, error) {
	var body bytes.Buffer
	form := multipart.NewWriter(&body)
	form.WriteField("url", "https://"+is.address+"/oauth2/token/.well-known/openid-configuration")
	form.WriteField("type", "WSO2-IS-7")
	form.Close()
	return k.do(http.MethodPost, "https://"+am.address+"/api/am/admin/v4/key-managers/discover", basic("admin", "admin"), form.FormDataContentType(), body.Bytes())
}

func basic(user, password string) string {
	return "Basic " + base64.StdEncoding.EncodeToString([]byte(user+":"+password))
}

// claims are those of a JWT, not verified: whether it is good is for the gateway to say.
func claims(token string) (map[string]any, error) {
	parts := strings.Split(token, ".")
	if len(parts) != 3 {
		return nil, errors.New("the token is no JWT")
	}
	data, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil {
		return nil, err
	}
	var m map[string]any
	return m, json.Unmarshal(data, &m)
}
