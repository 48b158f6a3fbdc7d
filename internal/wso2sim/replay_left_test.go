package wso2sim

var leftOutOfGateway = map[string]string{}
var leftOutOfAdministration = map[string]string{}
var leftOutOfDevPortal = map[string]string{}
var leftOutOfUsers = map[string]string{}
var leftOutOfRoles = map[string]string{}
var leftOutOfApplications = map[string]string{}
var leftOutOfTokens = map[string]string{}
var leftOutOfLogins = map[string]string{}
