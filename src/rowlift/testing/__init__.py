"""Contract suites, fakes and test servers that connectors of any origin can use."""
