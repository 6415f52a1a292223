/**
 * With DEBUG in the environment mqtt.js and mqtt-packet print whole packets, the access token among them: they are taken
 * out of it. Imported before everything else, since they look when they are loaded.
 */
if (process.env.DEBUG) process.env.DEBUG += ',-mqtt*';
