package entra

// checkAssertion checks a client's signed assertion.
func (s *Service) checkAssertion(t *tokenRequest) *failure {
	return say(700027, "reason", "The key was not found.")
}
