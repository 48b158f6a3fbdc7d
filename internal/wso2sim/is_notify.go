package wso2sim

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"time"
)

// listenerName is the class that IS runs for revocations, from a library that API Manager's project provides.
const listenerName = "org.wso2.is.notification.ApimOauthEventInterceptor"

// notifier tells API Manager of revoked tokens. It tries once; a failure is a line in the log and nothing more.
type notifier struct {
	server                   *server
	endpoint, user, password string
	keyManager               string // value of the header X-WSO2-KEY-MANAGER; none is sent if empty
	client                   *http.Client
}

// newNotifier reads the listener of deployment.toml; nil if there is none, or if the library with its class is not there.
func newNotifier(s *server) *notifier {
	property, found := s.settings.revocationListener()
	if !found {
		return nil
	}
	if err := findHandler(s.home, s.behaviour); err != nil {
		s.log.Error("no notice of revoked tokens will be sent", "error", err)
		return nil
	}
	return &notifier{
		server: s, endpoint: property("notification_endpoint"), user: property("username"), password: property("password"),
		keyManager: property(keyManagerHeader), client: s.caller(strictHostnames),
	}
}

// keyManagerHeader is the property of the listener that becomes the header X-WSO2-KEY-MANAGER.
const keyManagerHeader = "header.X-WSO2-KEY-MANAGER"

// revocationListener gives the properties of the first listener for revoked tokens, if there is one.
func (s settings) revocationListener() (property func(name string) string, found bool) {
	for _, listener := range s.tables("event_listener") {
		if listener.text("id", "") != "token_revocation" || listener.text("name", "") != listenerName {
			continue
		}
		properties, _ := listener.at("properties").(map[string]any)
		return func(name string) string {
			value, _ := properties[name].(string)
			return s.admin(value)
		}, true
	}
	return nil, false
}

// send does not wait for the answer: revoking succeeds whatever becomes of the notice.
func (n *notifier) send(t accessToken, c oauthClient) {
	notice := object{
		"accessToken": t.jti, "expiryTime": t.expires.UnixMilli(), "user": t.user, "consumerKey": c.id, "tokenType": c.tokenType,
		"eventId": newUUID(), "timeStamp": time.Now().UnixMilli(), "type": "token_revocation", "tenantId": -1234,
		"tenantDomain": "carbon.super", "properties": object{},
	}
	n.server.work.Go(func() {
		if err := n.post(notice); err != nil {
			n.server.log.Error("revocation notice not delivered", "error", err)
		}
	})
}

func (n *notifier) post(notice object) error {
	body, err := json.Marshal(notice)
	if err != nil {
		return fmt.Errorf("write the revocation notice: %w", err)
	}
	req, err := http.NewRequestWithContext(n.server.ctx, http.MethodPost, n.endpoint, bytes.NewReader(body))
	if err != nil {
		return fmt.Errorf("send a revocation notice to %s: %w", n.endpoint, err)
	}
	req.SetBasicAuth(n.user, n.password)
	req.Header.Set("Content-Type", "application/json")
	if n.keyManager != "" {
		req.Header.Set("X-WSO2-KEY-MANAGER", n.keyManager)
	}
	resp, err := n.client.Do(req)
	if err != nil {
		return fmt.Errorf("send a revocation notice: %w", err) // names method and address itself
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return fmt.Errorf("send a revocation notice to %s: %s", n.endpoint, resp.Status)
	}
	return nil
}
