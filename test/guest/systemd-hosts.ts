/** Whom a guest's systemd knows besides root, and what the doctor has to advise that user. */
import { advises } from '../wanted-remedy.ts';

export const systemdUser = { name: 'drover-test', uid: 61_240 } as const;

export const systemdHosts = [
  {
    name: 'nobody has logged in',
    remedy: advises(
      'delegate_by_system_manager',
      /^sudo systemd-run --uid=61240 -p Delegate=yes -p KillMode=process drover agent …$/,
    ),
  },
  {
    name: 'the user has logged in',
    remedy: advises('delegate_by_user_manager', /^systemd-run --user --scope -p Delegate=yes drover agent …$/),
  },
] as const;
