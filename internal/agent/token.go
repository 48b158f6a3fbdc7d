package agent

import (
	"context"
	"encoding/json"
	"fmt"

	"wso2agent/internal/file"
	"wso2agent/internal/wso2"
)

// Token fetches an access token of the application, with the keys that a bootstrap has written to KEYS_FILE, for people
// who want to call an API. It ends the application's token before it, unless tokens live side by side.
func (a Agent) Token(ctx context.Context) (wso2.Secret, error) {
	data, err := file.Read(a.cfg.KeysFile, configLimit)
	if err != nil {
		return "", fmt.Errorf("read the application's keys: %w; a bootstrap writes them, or set KEYS_FILE", err)
	}
	var keys struct {
		Production struct {
			ConsumerKey    string      `json:"consumerKey"`
			ConsumerSecret wso2.Secret `json:"consumerSecret"`
			TokenEndpoint  string      `json:"tokenEndpoint"`
		} `json:"production"`
	}
	if err := json.Unmarshal(data, &keys); err != nil || keys.Production.ConsumerKey == "" || keys.Production.TokenEndpoint == "" {
		return "", fmt.Errorf("read the application's keys: %s is not what a bootstrap writes; run agent bootstrap", a.cfg.KeysFile)
	}
	roots, err := a.roots()
	if err != nil {
		return "", err
	}
	token, err := wso2.FetchToken(ctx, wso2.NewHTTPClient(a.pins(), roots), keys.Production.TokenEndpoint, keys.Production.ConsumerKey, keys.Production.ConsumerSecret)
	if err != nil {
		return "", err
	}
	return token.AccessToken, nil
}
