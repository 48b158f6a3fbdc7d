package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strconv"
	"sync/atomic"
	"time"

	"wso2agent/internal/remedy"
)

// Webhook asks a service of the user to restart the server, with a signed POST request.
type Webhook struct {
	URL    string // RESTART_URL
	Secret string // RESTART_URL_SECRET; without one there is no signature
	// Setting and SecretSetting are the names of both settings, for errors.
	Setting, SecretSetting string
	// Connect returns the client, which verifies the certificate of the service.
	Connect func() (*http.Client, error)
	Pause   time.Duration // before the second try; the third comes after twice as long
	Log     *slog.Logger
}

// Name is the value of RESTART.
func (*Webhook) Name() string { return "webhook" }

// The header with the signature is HMAC-SHA256 of the timestamp, a dot, and the body, in hexadecimal digits. The timestamp is a Unix time.
const (
	signatureHeader = "X-Agent-Signature-256"
	timestampHeader = "X-Agent-Timestamp"
)

// webhookTries is how often one order is sent, while the service cannot be reached or answers that it cannot now.
const webhookTries = 3

// Usable returns nil: whether the service restarts the server shows when it is asked.
func (w *Webhook) Usable(context.Context) (why string, err error) {
	u, err := url.Parse(w.URL)
	if err != nil || u.Host == "" {
		return "", remedy.Add(errors.New("there is no address"), "set RESTART_URL")
	}
	return "RESTART_URL is at " + u.Host, nil // its path and query may have a token
}

// Restart sends o, until the service answers with a status of 2xx. A service that has got the order and does not answer in time may be
// restarting the server: it does not get the order again, and the server shows whether it restarts.
func (w *Webhook) Restart(ctx context.Context, o Order) error {
	body, err := json.Marshal(o)
	if err != nil {
		return err
	}
	pause := w.Pause
	for n := 1; ; n++ {
		again, err := w.Send(ctx, body)
		if err == nil || !again || n == webhookTries {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
		pause *= 2
	}
}

// Send sends a request with the body once. again reports whether another try may succeed.
func (w *Webhook) Send(ctx context.Context, body []byte) (again bool, err error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, w.URL, bytes.NewReader(body))
	if err != nil {
		return false, errors.New(w.Setting + " is no address")
	}
	at := strconv.FormatInt(time.Now().Unix(), 10)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set(timestampHeader, at)
	if w.Secret != "" {
		mac := hmac.New(sha256.New, []byte(w.Secret))
		fmt.Fprintf(mac, "%s.%s", at, body)
		req.Header.Set(signatureHeader, "sha256="+hex.EncodeToString(mac.Sum(nil)))
	}
	client, err := w.Connect()
	if err != nil {
		return false, err
	}
	var sent atomic.Bool // in a goroutine of the client
	resp, err := client.Do(req.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) { sent.Store(info.Err == nil) },
	})))
	if err != nil {
		var cause *url.Error
		if errors.As(err, &cause) && cause.Timeout() && sent.Load() {
			w.noAnswer(req.URL.Host, "none in time")
			return false, nil
		}
		if cause != nil { // its text repeats the address
			err = cause.Err
		}
		return true, remedy.Add(fmt.Errorf("POST to %s: %w", req.URL.Host, err), "check %s, and TLS_CA_FILE for the CA of its certificate", w.Setting)
	}
	defer resp.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20)) // so that the connection can be used again
	if resp.StatusCode/100 == 2 {
		return false, nil
	}
	if resp.StatusCode == http.StatusGatewayTimeout {
		w.noAnswer(req.URL.Host, resp.Status)
		return false, nil
	}
	again = resp.StatusCode >= 500 || resp.StatusCode == http.StatusTooManyRequests
	return again, remedy.Add(fmt.Errorf("POST to %s: it answers %s", req.URL.Host, resp.Status), "look at the log of that service; it must know %s", w.SecretSetting)
}

// noAnswer logs that the service has got the order, and that nobody knows what it does.
func (w *Webhook) noAnswer(host, answer string) {
	w.Log.Warn("a service has got a request, and has not answered", "setting", w.Setting, "service", host, "answer", answer,
		"remedy", "let it answer at once, and act after that")
}
