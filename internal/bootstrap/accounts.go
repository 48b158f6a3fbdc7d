package bootstrap

import (
	"wso2agent/internal/config"
	"wso2agent/internal/wso2"
)

// Accounts are the administrators' accounts. All requests of this process with one of them count together, so that a wrong
// password does not lock the account.
type Accounts struct{ AM, IS wso2.Lockout }

// SettingsOf returns the settings of a run by the agent's settings. They name IS's credentials also if there is no IS to
// register.
func SettingsOf(c config.Config, accounts *Accounts) Settings {
	return Settings{
		AMURL: "https://" + c.AMAddress(), GatewayURL: "https://" + c.GatewayAddress(), ISURL: "https://" + c.ISAddress(),
		AMCredentials: wso2.Credentials{User: c.AMAdminUser, Password: wso2.Secret(c.AMAdminPass), Source: "AM_ADMIN_USER and AM_ADMIN_PASS", Lockout: &accounts.AM},
		ISCredentials: wso2.Credentials{User: c.ISAdminUser, Password: wso2.Secret(c.ISAdminPass), Source: "IS_ADMIN_USER and IS_ADMIN_PASS", Lockout: &accounts.IS},
		VHost:         c.VHost,
		KMName:        c.KMName, KeyManagerName: c.KeyManagerName, KMTokenEndpoint: c.KMTokenEndpoint, ISPublicURL: c.ISPublicURL,
		SkipKeyManager: len(c.Peers) == 0,
		Authorize:      c.Scopes == "authorize", ScopesClients: c.ScopesClients,
	}
}
