package subscriber

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
)

// The API that Publish makes: each of its operations needs a scope, one of the API's own and one that APIs share.
const (
	LocalScope, SharedScope = "reports:read", "company:all"
	LocalPath, SharedPath   = "/reports/1.0.0/own", "/reports/1.0.0/shared"
)

// Publish makes an API with scopes, as a person does in the Publisher of the API-M at base, and subscribes an application
// to it.
func Publish(client *http.Client, base, user, password, applicationID string) error {
	m := manager{client: client, base: base, user: user, password: password}
	scope := func(name string) map[string]any {
		return map[string]any{"name": name, "displayName": name, "description": "", "bindings": []string{"admin"}}
	}
	operation := func(target, scope string) map[string]any {
		return map[string]any{"target": target, "verb": "GET", "authType": "Application & Application User", "throttlingPolicy": "Unlimited", "scopes": []string{scope}}
	}
	endpoint := map[string]any{"url": "http://payment-service:8080"}
	m.post("/api/am/publisher/v4/scopes", scope(SharedScope))
	api := m.post("/api/am/publisher/v4/apis", map[string]any{
		"name": "Reports", "version": "1.0.0", "context": "/reports", "policies": []string{"Unlimited"}, "keyManagers": []string{"all"},
		"endpointConfig": map[string]any{"endpoint_type": "http", "production_endpoints": endpoint, "sandbox_endpoints": endpoint},
		"scopes":         []map[string]any{{"scope": scope(LocalScope), "shared": false}, {"scope": scope(SharedScope), "shared": true}},
		"operations":     []map[string]any{operation("/own", LocalScope), operation("/shared", SharedScope)},
	})
	at := "/api/am/publisher/v4/apis/" + api.ID
	revision := m.post(at+"/revisions", map[string]any{"description": "first"})
	m.post(at+"/deploy-revision?revisionId="+url.QueryEscape(revision.ID), []map[string]any{{"name": "Default", "vhost": "localhost", "displayOnDevportal": true}})
	m.post("/api/am/publisher/v4/apis/change-lifecycle?action=Publish&apiId="+url.QueryEscape(api.ID), nil)
	m.post("/api/am/devportal/v3/subscriptions", map[string]any{"applicationId": applicationID, "apiId": api.ID, "throttlingPolicy": "Unlimited"})
	return m.err
}

// manager posts until something fails.
type manager struct {
	client               *http.Client
	base, user, password string
	err                  error
}

type made struct {
	ID string `json:"id"`
}

func (m *manager) post(path string, body any) (answer made) {
	if m.err != nil {
		return made{}
	}
	answer, err := m.send(path, body)
	if err != nil {
		m.err = fmt.Errorf("POST %s: %w", path, err)
	}
	return answer
}

func (m *manager) send(path string, body any) (answer made, err error) {
	data, err := json.Marshal(body)
	if err != nil {
		return made{}, err
	}
	req, err := http.NewRequest(http.MethodPost, m.base+path, bytes.NewReader(data))
	if err != nil {
		return made{}, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.SetBasicAuth(m.user, m.password)
	resp, err := m.client.Do(req)
	if err != nil {
		return made{}, err
	}
	defer resp.Body.Close()
	text, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return made{}, err
	}
	if resp.StatusCode >= 300 {
		return made{}, fmt.Errorf("HTTP %d: %s", resp.StatusCode, text)
	}
	_ = json.Unmarshal(text, &answer) // an answer may be a list
	return answer, nil
}
