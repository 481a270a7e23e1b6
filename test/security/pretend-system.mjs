// Loaded before an agent: it then takes itself to be on the system of PRETEND ("darwin", "win32"). What is built for one system is loaded first.
await import('lmdb');
Object.defineProperty(process, 'platform', { value: process.env.PRETEND });
