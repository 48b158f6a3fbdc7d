package main

import (
	"slices"
	"testing"

	"wso2agent/internal/actual"
	"wso2agent/internal/bootstrap"
	"wso2agent/internal/config"
	"wso2agent/internal/wso2"
)

// TestTheSettingsNameTheClientsThatRead: one server may have a client, and the other its administrator.
func TestTheSettingsNameTheClientsThatRead(t *testing.T) {
	settings := bootstrap.Settings{
		AMURL: "https://am:9443", ISURL: "https://is:9443",
		AMCredentials: wso2.Credentials{User: "admin"}, ISCredentials: wso2.Credentials{User: "root"},
	}
	var cfg config.Config
	if s := reading(cfg, settings, actual.AllRights()); s.AMCredentials.User != "admin" || s.ISCredentials.User != "root" || s.AMCredentials.Reading != nil {
		t.Errorf("without clients: %+v, %+v", s.AMCredentials, s.ISCredentials)
	}
	cfg.IS.ClientID, cfg.IS.ClientSecret = "plan", "s3cret"
	s := reading(cfg, settings, actual.AllRights())
	client := s.ISCredentials.Reading
	if s.AMCredentials.User != "admin" || client == nil || client.TokenEndpoint != "https://is:9443/oauth2/token" || client.ID != "plan" ||
		client.Secret != "s3cret" || !slices.Equal(client.Scopes, actual.AllRights().IS) || s.ISCredentials.Source != "IS_CLIENT_ID and IS_CLIENT_SECRET" {
		t.Errorf("with a client of IS: %+v, %+v", s.AMCredentials, s.ISCredentials)
	}
}
