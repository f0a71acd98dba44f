package directory

import (
	"strings"
	"time"

	"github.com/workfs/workfs/backends/sim/company"
)

// fill puts the company into the store.
func fill(s *Store, c *company.Company) {
	for i, p := range c.Everyone() {
		s.seed(p.ID, kindUser, userProps(s, p, i), nil)
	}
	for i, g := range c.Groups {
		var members []string
		for _, m := range g.Members {
			members = append(members, m.ID)
		}
		s.seed(g.ID, kindGroup, groupProps(s, g, i), members)
	}
	// A group of groups with members that are no people, which a tenant of any age has.
	printer, app := c.GUID("device print01"), c.GUID("service principal reports")
	s.seed(printer, kindDevice, map[string]any{
		"id": printer, "displayName": "CONTOSO-PRINT01", "deviceId": c.GUID("device id print01"), "operatingSystem": "Windows", "accountEnabled": true}, nil)
	s.seed(app, kindServicePrincipal, map[string]any{
		"id": app, "displayName": "Contoso Reports", "appId": c.GUID("app reports"), "servicePrincipalType": "Application"}, nil)
	members := []string{printer, app}
	for _, g := range c.Groups[:min(2, len(c.Groups))] {
		members = append(members, g.ID)
	}
	nested := &company.Group{ID: c.GUID("group all-departments"), DisplayName: "All Departments", Nickname: "all-departments",
		Description: "Everything that departments share"}
	s.seed(nested.ID, kindGroup, groupProps(s, nested, len(c.Groups)), members)
}

// text gives nil for an empty string, since Graph has null there.
func text(v string) any {
	if v == "" {
		return nil
	}
	return v
}

func created(s *Store, i int) string {
	return s.world.Start().Truncate(24*time.Hour).AddDate(-10, 0, 37*i).Add(time.Duration(8*3600+i*61) * time.Second).Format(time.RFC3339)
}

func userProps(s *Store, p *company.Person, i int) map[string]any {
	phones := []string{}
	if p.BusinessPhone != "" {
		phones = append(phones, p.BusinessPhone)
	}
	userType := "Member"
	if p.Kind == company.Guest {
		userType = "Guest"
	}
	nickname, _, _ := strings.Cut(p.UPN, "@")
	return map[string]any{
		"id": p.ID, "userPrincipalName": p.UPN, "mail": text(p.Mail), "displayName": p.DisplayName, "givenName": text(p.GivenName),
		"surname": text(p.Surname), "jobTitle": text(p.JobTitle), "department": text(p.Department), "officeLocation": text(p.Office),
		"businessPhones": phones, "mobilePhone": text(p.MobilePhone), "preferredLanguage": text(p.Language), "companyName": text(p.CompanyName),
		"accountEnabled": p.AccountEnabled, "userType": userType, "mailNickname": nickname, "createdDateTime": created(s, i),
		"proxyAddresses": []string{"SMTP:" + p.Mail}, "usageLocation": "US", "employeeId": nil, "onPremisesSyncEnabled": nil,
		"city": nil, "country": nil, "imAddresses": []string{p.UPN}, "otherMails": []string{}, "deletedDateTime": nil,
	}
}

func groupProps(s *Store, g *company.Group, i int) map[string]any {
	types, provisioning, proxies := []string{}, []string{}, []string{}
	visibility := "Public"
	if g.Unified {
		types = append(types, "Unified")
	}
	if g.Team {
		provisioning = append(provisioning, "Team")
	}
	if g.Private {
		visibility = "Private"
	}
	if g.Mail != "" {
		proxies = append(proxies, "SMTP:"+g.Mail)
	}
	when := created(s, i+3)
	return map[string]any{
		"id": g.ID, "displayName": g.DisplayName, "description": text(g.Description), "mail": text(g.Mail), "mailEnabled": g.Mail != "",
		"mailNickname": g.Nickname, "securityEnabled": !g.Unified, "groupTypes": types, "resourceProvisioningOptions": provisioning,
		"visibility": visibility, "createdDateTime": when, "renewedDateTime": when, "deletedDateTime": nil, "expirationDateTime": nil,
		"classification": nil, "membershipRule": nil, "membershipRuleProcessingState": nil, "onPremisesSyncEnabled": nil,
		"onPremisesLastSyncDateTime": nil, "onPremisesSecurityIdentifier": nil, "preferredDataLocation": nil, "preferredLanguage": nil,
		"proxyAddresses": proxies, "resourceBehaviorOptions": []string{}, "creationOptions": []string{}, "theme": nil, "isAssignableToRole": nil,
		"securityIdentifier": "S-1-12-1-" + strings.ReplaceAll(g.ID[:8], "-", ""),
	}
}
