package wso2

import (
	"context"
	"net/http"
	"time"
)

// Notice is the report of a revoked token with which IS's handler makes API-M's gateway refuse the token.
type Notice struct {
	ID      string    // of the token: its claim jti
	Expires time.Time // the gateway forgets the token then
	Client  string    // consumer key
}

// Notify reports a revoked token to API-M as IS does. With another value of the header, API-M answers 200 and does nothing, so only a
// call through the gateway shows the effect. The body is the one that IS 7.1.0 sends.
func (g *Gateway) Notify(ctx context.Context, n Notice) error {
	return g.notices.call(ctx, request{
		op: "report a revoked token to API-M", method: http.MethodPost, header: http.Header{"X-Wso2-Key-Manager": {"WSO2-IS"}},
		body: map[string]any{
			"accessToken": n.ID, "expiryTime": n.Expires.UnixMilli(), "user": n.Client, "consumerKey": n.Client, "tokenType": "JWT",
			"eventId": NewRun(), "timeStamp": time.Now().UnixMilli(), "type": "token_revocation", "tenantId": -1234,
			"tenantDomain": "carbon.super", "properties": map[string]any{},
		},
	}, nil)
}
