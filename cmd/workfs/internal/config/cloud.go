package config

// clouds are Microsoft's national clouds (learn.microsoft.com, National cloud deployments).
var clouds = []struct{ name, login, graph string }{
	{"global", "https://login.microsoftonline.com", "https://graph.microsoft.com"},
	{"us-gov", "https://login.microsoftonline.us", "https://graph.microsoft.us"},
	{"us-dod", "https://login.microsoftonline.us", "https://dod-graph.microsoft.us"},
	{"china", "https://login.chinacloudapi.cn", "https://microsoftgraph.chinacloudapi.cn"},
}

// Clouds lists the values of cloud.
func Clouds() []string {
	names := make([]string, len(clouds))
	for i, c := range clouds {
		names[i] = c.name
	}
	return names
}

// Cloud gives the addresses of a cloud. Tokens of one are worth nothing in another.
func Cloud(name string) (loginURL, graphURL string, ok bool) {
	for _, c := range clouds {
		if c.name == name {
			return c.login, c.graph, true
		}
	}
	return "", "", false
}
