"""What members' kubeconfig files need to reach a cluster: names, proxies and certificate authorities. All have defaults in the database."""

import environments.models.validators
from django.db import migrations, models


class Migration(migrations.Migration):

    dependencies = [
        ('environments', '0021_cluster_names'),
    ]

    operations = [
        migrations.AddField(
            model_name='cluster',
            name='oidc_certificate_authority',
            field=models.TextField(blank=True, db_default='', default='', help_text="PEM. Leave empty if members' computers trust the issuer's certificate.", verbose_name="OIDC issuer's certificate authority"),
        ),
        migrations.AddField(
            model_name='cluster',
            name='proxy_url',
            field=models.CharField(blank=True, db_default='', default='', help_text='If kubectl reaches the API server through a proxy, for example http://proxy.example.com:3128', max_length=400, validators=[environments.models.validators.proxy_url], verbose_name='proxy for members'),
        ),
        migrations.AddField(
            model_name='cluster',
            name='public_certificate_authority',
            field=models.TextField(blank=True, db_default='', default='', help_text='PEM. Use it if a different certificate authority signed the certificate at this address.', verbose_name='certificate authority for members'),
        ),
        migrations.AddField(
            model_name='cluster',
            name='public_trust',
            field=models.CharField(choices=[('portal', 'The same as the portal'), ('system', 'The certificate authorities of their computers'), ('own', 'The certificates below')], db_default='portal', default='portal', help_text="How kubectl checks the API server's certificate at the address for members.", max_length=8, verbose_name='members trust'),
        ),
        migrations.AddField(
            model_name='cluster',
            name='tls_server_name',
            field=models.CharField(blank=True, db_default='', default='', help_text='If the certificate has another name than the address for members.', max_length=253, validators=[environments.models.validators.server_name], verbose_name='TLS server name'),
        ),
        migrations.AddField(
            model_name='cluster',
            name='token_cap_seconds',
            field=models.PositiveIntegerField(blank=True, editable=False, help_text='The lifetime to which the cluster last shortened a token. Empty: it shortens none.', null=True),
        ),
    ]
